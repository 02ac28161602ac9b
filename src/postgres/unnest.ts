import { sql, type RawBuilder } from 'kysely'
import { binaryColumn, type ElementType } from './binary-arrays.ts'

/**
 * Rows as one array a column: `unnest($1::text[], $2::bigint[], …) as r (column, …)`. One stable statement for any
 * number of rows, with no limit of 65,535 parameters. The types of values are those of binary-arrays.ts, and null. The
 * arrays are binary: writing and reading `json_to_recordset` took four to six times as long, longer than storing the
 * rows.
 */
export function unnest<Row extends object> (rows: readonly Row[], columns: Partial<Record<keyof Row & string, ElementType>>, alias = 'r'): RawBuilder<unknown> {
  const all = Object.entries(columns) as Array<[keyof Row & string, ElementType]>
  const arrays = all.map(([name, type]) => sql`${binaryColumn(type, rows, name)}::${sql.raw(type)}[]`)
  return sql`unnest(${sql.join(arrays)}) as ${sql.id(alias)} (${sql.join(all.map(([name]) => sql.id(name)))})`
}

/**
 * Ends a lateral subquery that must look up its rows by index, for each outer row by itself. Without it the planner may
 * join, and reads a whole table that was never analysed: 20,000 lines for a stretch of 20.
 */
export const BY_INDEX = sql`offset 0`

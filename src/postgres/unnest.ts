import { sql, type RawBuilder } from 'kysely'
import { binaryColumn, type ElementType } from './binary-arrays.ts'

/**
 * Rows as one array a column: `unnest($1::text[], $2::bigint[], …) as r (column, …)`. One stable statement for any number of
 * rows, with no limit of 65,535 parameters. Values: text, number, bigint, boolean, Instant, null. The arrays are binary:
 * `json_to_recordset` took four to six times as long to make and to read, longer than to store what it told.
 */
export function unnest<Row extends object> (rows: readonly Row[], columns: Partial<Record<keyof Row & string, ElementType>>, alias = 'r'): RawBuilder<unknown> {
  const all = Object.entries(columns) as Array<[keyof Row & string, ElementType]>
  const arrays = all.map(([name, type]) => sql`${binaryColumn(type, rows, name)}::${sql.raw(type)}[]`)
  return sql`unnest(${sql.join(arrays)}) as ${sql.id(alias)} (${sql.join(all.map(([name]) => sql.id(name)))})`
}

/**
 * Ends a lateral subquery that must look its rows up by index, for each outer row by itself. Without it the planner may join,
 * and on a table that was never analysed read the whole of it: 20,000 lines for a stretch of 20.
 */
export const BY_INDEX = sql`offset 0`

import { sql, type RawBuilder } from 'kysely'

/**
 * Rows as one parameter: `json_to_recordset($1) as r (column type, …)`. One stable statement for any number of rows,
 * with no limit of 65,535 parameters. Values: text, number, bigint, boolean, null; bytea as a Buffer.
 */
export function recordset (rows: readonly object[], columns: Record<string, string>, alias = 'r'): RawBuilder<unknown> {
  const list = sql.join(Object.entries(columns).map(([name, type]) => sql`${sql.id(name)} ${sql.raw(type)}`))
  return sql`json_to_recordset(${JSON.stringify(rows, portable)}::json) as ${sql.id(alias)} (${list})`
}

/**
 * Ends a lateral subquery that must look its rows up by index, for each outer row by itself. Without it the planner may join,
 * and on a table that was never analysed read the whole of it: 20,000 lines for a stretch of 20.
 */
export const BY_INDEX = sql`offset 0`

function portable (this: unknown, key: string, value: unknown): unknown {
  const original = (this as Record<string, unknown>)[key]
  if (typeof value === 'bigint') return value.toString()
  // JSON.stringify calls Buffer's own toJSON first: look at what stood there before.
  if (Buffer.isBuffer(original)) return `\\x${original.toString('hex')}`
  return value
}

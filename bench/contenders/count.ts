import type pg from 'pg'

/** Counts by the id inside the stored body, not by a key made of it: a key that swallowed an event would show. */
export async function countBodies (pool: pg.Pool, table: string, body: string): Promise<{ events: number, rows: number }> {
  const { rows: [row] } = await pool.query<{ events: number, rows: number }>(
    `select count(distinct ${body}->'event'->>'id')::integer as events, count(*)::integer as rows from ${table}`)
  return row as { events: number, rows: number }
}

import pg from 'pg'
import { program, type Contender } from './contender.ts'

/** What a user would write: one insert a request through a pool. */
export const insert: Contender = {
  name: 'insert per request',
  command: program('insert.program.ts'),
  async prepare (url) {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    await client.query(`
      create table events (
        position bigint generated always as identity primary key,
        event_id text not null unique,
        customer_id text not null,
        body json not null,
        recorded_at timestamptz not null default now()
      )`)
    await client.end()
  },
  async count (pool) {
    const { rows: [row] } = await pool.query<{ events: number, rows: number }>('select count(distinct event_id)::integer as events, count(*)::integer as rows from events')
    return row as { events: number, rows: number }
  }
}

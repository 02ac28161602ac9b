import pg from 'pg'
import { serve } from './app.ts'

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 })

await serve(async ({ event_id, customer_id, text }) => {
  await pool.query({
    name: 'store',
    text: 'insert into events (event_id, customer_id, body) values ($1, $2, $3) on conflict do nothing',
    values: [event_id, customer_id, text]
  })
})

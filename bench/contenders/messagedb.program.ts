import { createHash } from 'node:crypto'
import pg from 'pg'
import { serve } from './app.ts'
import { uuidOf } from './identity.ts'

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10, options: '-c search_path=message_store,public' })

await serve(async ({ event_id, customer_id, text }) => {
  try {
    await pool.query({ name: 'write', text: 'select write_message($1, $2, $3, $4)', values: [uuidOf(event_id), streamOf(customer_id), 'CustomerRewarded', text] })
  } catch (error) {
    if (!isStored(error)) throw error
  }
})

/**
 * A stream a customer. A write locks the stream's category, which is the name up to the dash, until it is committed; so there
 * are as many categories as the ledger has shards, with the same promise of order. In one category it reaches 0.6 of that.
 */
function streamOf (customer_id: string): string {
  const category = (createHash('sha256').update(customer_id).digest()[0] as number) % 16
  return `customer${category}-${customer_id}`
}

/** A message of this id is there: the only unique thing that two writers under the lock can meet at. */
function isStored (error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.code === '23505' && error.constraint === 'messages_id'
}

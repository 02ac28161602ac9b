import { sql } from 'kysely'
import type { Db } from './database.ts'

export interface Quarantinable {
  body: Buffer
  /** The headers that matter to a later reading. */
  headers: Record<string, string>
  reason: string
  detail: string
  /** With `subject`: the stored event that a conflicting delivery contradicts. */
  event_id?: string
  subject?: string
}

/**
 * Keeps an authentic delivery that cannot be used yet, byte for byte. The same bytes again are the same row, seen once more.
 * @returns its quarantine id, after the commit
 */
export async function quarantine (db: Db, delivery: Quarantinable): Promise<bigint> {
  const { quarantine_id } = await db
    .insertInto('ledger.quarantine')
    .values({
      body: delivery.body,
      headers: JSON.stringify(delivery.headers),
      reason: delivery.reason,
      // Parsers quote the input, and text columns cannot hold U+0000.
      detail: delivery.detail.slice(0, 2000).replaceAll('\u0000', '\ufffd').toWellFormed(),
      event_id: delivery.event_id ?? null,
      subject: delivery.subject ?? null
    })
    .onConflict(conflict => conflict.column('body_digest').doUpdateSet({
      times_seen: sql`ledger.quarantine.times_seen + 1`,
      last_seen_at: sql`clock_timestamp()`
    }))
    .returning('quarantine_id')
    .executeTakeFirstOrThrow()
  return quarantine_id
}

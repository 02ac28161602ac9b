import { createHash, randomUUID } from 'node:crypto'
import { ownEvents } from '../providers/own-events.ts'
import type { Appendable } from '../log/append.sql.ts'
import { ERASED_TYPE, type RedactedEvent, type RedactedRow } from './erasure.sql.ts'
import { shardOf } from '../log/shards.sql.ts'

/** Why a customer is erased, and who says so. Both are kept for ever: they must not name the customer. */
export interface ErasureOrder { customer_id: string, reason: string, decided_by: string }

/**
 * The event that records an erasure: stored, exported and imported like any other. It lists the digest of each body
 * after the erasure; the database lets a body change to that one only.
 */
export function erasureEvent (order: ErasureOrder, events: readonly RedactedEvent[], rows: readonly RedactedRow[], shards: number, now: Date): Appendable {
  const id = `erasure:${randomUUID()}`
  const at = now.toISOString()
  const body = JSON.stringify({
    id,
    created_at: at,
    type: ERASED_TYPE,
    data: {
      customer: { id: order.customer_id, object: 'customer' },
      reason: order.reason,
      decided_by: order.decided_by,
      erased: events.map(({ event_id, subject, body }) => ({ event_id, subject, body_digest: digestOf(body) })),
      quarantined: rows.map(({ quarantine_id, body }) => ({ quarantine_id: String(quarantine_id), body_digest: digestOf(body) }))
    },
    source: { object: 'ledger' },
    event: { id, type: ERASED_TYPE, created_at: at, entity_id: order.customer_id }
  })
  const identified = ownEvents.identify(Buffer.from(body))
  if ('reason' in identified) throw new Error(`an erasure of ${order.customer_id} cannot be recorded: ${identified.detail}`)
  const { shard_key, ...event } = identified
  return { ...event, provider: ownEvents.name, shard: shardOf(shard_key, shards) }
}

function digestOf (body: string): string {
  return createHash('sha256').update(body).digest('hex')
}

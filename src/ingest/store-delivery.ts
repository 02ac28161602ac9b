import type { Instant } from '../ledger/instant.ts'
import { identify, tellsAllOf, type IdentifiedDelivery } from '../providers/voucherify/identify.ts'
import { AppendRefused, type Appender } from '../log/appender.ts'
import type { Appended } from '../log/append.sql.ts'
import type { Db } from '../postgres/database.ts'
import { findBody } from '../log/read.sql.ts'
import { shardOf } from '../log/shards.sql.ts'

/** What taking a delivery in needs: where events are appended and looked up, and over how many shards. */
export interface Ingest {
  db: Db
  /** Batches by itself: hand it many deliveries at once, as many as its queue holds. */
  appender: Pick<Appender, 'append'>
  shards: number
}

/** Why a delivery cannot be used: a stable code, and a sentence for people. */
export interface Refusal { reason: string, detail: string }

/** The key of the stored event, and where it stands: `shard:position`. */
export interface Stored { event_id: string, subject: string, position: string }

/** What became of a delivery: stored now, stored before, contradicting what is stored, or not usable. */
export type StoredDelivery =
  | { status: 'accepted' } & Stored
  | { status: 'duplicate' } & Stored
  | { status: 'conflict' } & Stored & Refusal
  | { status: 'unusable' } & Refusal

/**
 * Stores the event of an authentic delivery, or says why not; sets nothing aside. Resolves after the commit. Safe to repeat
 * and to run many times at once: an event is stored once, for ever.
 * @param body authentic bytes, as received
 * @throws AppendRefused queue_full, unavailable or defect: it was not stored as far as we know; try again
 */
export async function storeDelivery (body: Buffer, intake: Ingest): Promise<StoredDelivery> {
  const identified = identifySent(body)
  return 'reason' in identified ? { status: 'unusable', ...identified } : await storeIdentified(identified, intake)
}

/** As `storeDelivery`, for a delivery whose event is named already. `recorded_at`: when it was first stored, where the intake restores. */
export async function storeIdentified (identified: IdentifiedDelivery & { recorded_at?: Instant }, intake: Ingest): Promise<StoredDelivery> {
  let appended: Appended
  try {
    // Added to it, not spread into another: a copy of fifteen fields cost as much as checking the signature.
    appended = await intake.appender.append(Object.assign(identified, { shard: shardOf(identified.shard_key, intake.shards) }))
  } catch (error) {
    if (!(error instanceof AppendRefused) || error.code !== 'unstorable') throw error
    return { status: 'unusable', reason: 'unstorable', detail: error.message }
  }
  const stored = { event_id: identified.event_id, subject: identified.subject, position: `${appended.shard}:${appended.position}` }
  if (appended.outcome !== 'conflict') return { status: appended.outcome, ...stored }
  const agrees = await stillAgrees(identified, intake.db).catch((error: unknown) => {
    throw new AppendRefused('unavailable', 'the stored event could not be looked up', { cause: error })
  })
  if (agrees) return { status: 'duplicate', ...stored }
  // Only a rehearsal knows of events without a position: they would be stored by a delivery before this one.
  const where = appended.position === 0n ? 'was told before' : `is stored at ${stored.position}`
  const detail = `event ${stored.event_id} about ${stored.subject} ${where} with other facts; the first one stands until a person decides`
  return { status: 'conflict', ...stored, reason: 'conflict', detail }
}

/** Types of events that the ledger writes itself. What they say is believed: nobody else may have one stored. */
const RESERVED = 'ledger.'

/** Names the event of a delivery that somebody sent, and refuses one that poses as the ledger's own. */
export function identifySent (body: Buffer): IdentifiedDelivery | Refusal {
  const identified = identifySafely(body)
  if ('reason' in identified || !identified.type.startsWith(RESERVED)) return identified
  return { reason: 'reserved_type', detail: `events of type ${identified.type} are written by the ledger itself, never taken from a sender` }
}

/** Names the event of a delivery. A defect in our reading must not lose an authentic one: it counts as unusable until the mend. */
export function identifySafely (body: Buffer): IdentifiedDelivery | Refusal {
  try {
    return identify(body)
  } catch (error) {
    return { reason: 'defect', detail: `reading the delivery failed: ${(error as Error).message}` }
  }
}

/**
 * Digests differ where a sender left something out, and where the stored one stems from an older version, which read fewer
 * facts. What counts is what the two bodies tell to this one.
 */
async function stillAgrees (identified: IdentifiedDelivery, db: Db): Promise<boolean> {
  const stored = await findBody(db, identified.event_id, identified.subject)
  if (stored === undefined) return false
  try {
    return tellsAllOf(stored, identified.body)
  } catch {
    return false
  }
}

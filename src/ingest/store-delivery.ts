import type { Instant } from '../ledger/instant.ts'
import { knownProviders, type Providers } from '../providers/index.ts'
import { OWN_TYPE_PREFIX } from '../providers/own-events.ts'
import type { EventReader, IdentifiedDelivery } from '../providers/provider.ts'
import { AppendRefused, refusedBeside, type Appender } from '../log/appender.ts'
import type { Appendable, Appended } from '../log/append.sql.ts'
import type { Db } from '../postgres/database.ts'
import { findBody } from '../log/read.sql.ts'
import { shardOf } from '../log/shards.sql.ts'

/** What storing a delivery needs: where events are appended and looked up, and over how many shards. */
export interface Ingest {
  db: Db
  /** Batches by itself: hand it many deliveries at once, as many as its queue holds. */
  appender: Pick<Appender, 'append'>
  shards: number
  /** Whose deliveries these can be; absent: all known ones. */
  providers?: Providers | undefined
}

/** Why a delivery cannot be used: a stable code, and a sentence for people. `unmatched` as in `Unusable`. */
export interface Refusal { reason: string, detail: string, unmatched?: true }

/** The key of the stored event, and its place in the log: `shard:position`. */
export interface Stored { event_id: string, subject: string, position: string }

/** What became of a delivery: stored now, stored before, contradicting what is stored, or not usable. */
export type StoredDelivery =
  | { status: 'accepted' } & Stored
  | { status: 'duplicate' } & Stored
  | { status: 'conflict' } & Stored & Refusal
  | { status: 'unusable' } & Refusal

/**
 * Stores the event of an authentic delivery, or says why not. Does not quarantine. Resolves after the commit. Safe to
 * repeat and to run many times at once: an event is stored once, for ever.
 * @param body authentic bytes, as received
 * @param provider who sent it; the first of the list where nothing is said
 * @throws AppendRefused queue_full, unavailable or defect: as far as we know it was not stored; try again
 */
export async function storeDelivery (body: Buffer, intake: Ingest, provider: EventReader = providersOf(intake).first): Promise<StoredDelivery> {
  const identified = identifySent(body, provider)
  return 'reason' in identified ? { status: 'unusable', reason: identified.reason, detail: identified.detail } : await storeIdentified(identified, intake, provider)
}

/**
 * As `storeDelivery`, for an identified delivery. `recorded_at`: when it was first stored, where it comes out of an
 * export.
 */
export async function storeIdentified (
  identified: IdentifiedDelivery & { recorded_at?: Instant }, intake: Ingest, provider: EventReader = providersOf(intake).first
): Promise<StoredDelivery> {
  let appended: Appended
  try {
    appended = await intake.appender.append(appendableOf(identified, provider.name, shardOf(identified.shard_key, intake.shards)))
  } catch (error) {
    if (!(error instanceof AppendRefused) || error.code !== 'unstorable') throw error
    return { status: 'unusable', reason: 'unstorable', detail: error.message }
  }
  const stored = { event_id: identified.event_id, subject: identified.subject, position: `${appended.shard}:${appended.position}` }
  if (appended.outcome !== 'conflict') return { status: appended.outcome, ...stored }
  const agrees = await factsAreStored(identified, intake.db, provider).catch((error: unknown) => {
    throw refusedBeside('the stored event could not be looked up', error)
  })
  if (agrees) return { status: 'duplicate', ...stored }
  // Only a dry run knows of events without a position: a delivery before this one would store them.
  const where = appended.position === 0n ? 'came before' : `is stored at ${stored.position}`
  const detail = `event ${stored.event_id} about ${stored.subject} ${where} with other facts; the first one stays until a person decides`
  return { status: 'conflict', ...stored, reason: 'conflict', detail }
}

/** The providers whose deliveries an intake stores. */
export function providersOf ({ providers }: Pick<Ingest, 'providers'>): Providers {
  return providers ?? knownProviders
}

// Member by member: spreading the delivery into another object cost as much as checking the signature.
function appendableOf (identified: IdentifiedDelivery & { recorded_at?: Instant }, provider: string, shard: number): Appendable {
  const event: Appendable = {
    provider,
    event_id: identified.event_id,
    subject: identified.subject,
    shard,
    type: identified.type,
    customer_id: identified.customer_id,
    occurred_at: identified.occurred_at,
    test: identified.test,
    send_out_id: identified.send_out_id,
    sender_kind: identified.sender_kind,
    sender_id: identified.sender_id,
    group_id: identified.group_id,
    project_id: identified.project_id,
    channel: identified.channel,
    fact_digest: identified.fact_digest,
    body: identified.body
  }
  if (identified.recorded_at !== undefined) event.recorded_at = identified.recorded_at
  return event
}

/** Identifies a delivery that somebody sent, and refuses one that poses as an event of the ledger itself. */
export function identifySent (body: Buffer, provider: EventReader): IdentifiedDelivery | Refusal {
  const identified = identifySafely(body, provider)
  if ('reason' in identified || !identified.type.startsWith(OWN_TYPE_PREFIX)) return identified
  return { reason: 'reserved_type', detail: `only the ledger itself writes events of type ${identified.type}: no sender may` }
}

/**
 * Identifies a delivery. A defect in our code must not lose an authentic one: it counts as unusable until the defect is
 * mended.
 */
export function identifySafely (body: Buffer, reader: EventReader): IdentifiedDelivery | Refusal {
  try {
    return reader.identify(body)
  } catch (error) {
    return { reason: 'defect', detail: `reading the delivery failed: ${(error as Error).message}` }
  }
}

/**
 * Digests differ where a sender left something out, and where an older version stored the event, which read fewer
 * facts. What counts is what this version reads in the two bodies.
 */
async function factsAreStored (identified: IdentifiedDelivery, db: Db, provider: EventReader): Promise<boolean> {
  const stored = await findBody(db, identified.event_id, identified.subject)
  if (stored === undefined) return false
  try {
    return provider.coversFacts(stored, identified.body)
  } catch {
    return false
  }
}

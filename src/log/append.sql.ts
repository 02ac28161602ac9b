import { sql } from 'kysely'
import type { Instant } from '../ledger/instant.ts'
import type { Db } from '../postgres/database.ts'
import { jsonArray } from '../postgres/binary-arrays.ts'
import { prepared } from '../postgres/prepared.ts'
import type { EventRow } from '../postgres/tables.ts'

/** An event to append: what the provider's reading named, its shard, and the JSON text. The database adds the rest. */
export type Appendable = Omit<EventRow, 'position' | 'recorded_at' | 'body_bytes' | 'body_digest' | 'fact_digest' | 'chain' | 'erased_by'> & {
  /** Hex. */
  fact_digest: string
  /** When it was first stored, where it comes back out of an export: `restore` keeps it. `append` takes the time of now. */
  recorded_at?: Instant
}

/** What became of an input: stored now, stored before, or contradicting what is stored. The position is the stored event's. */
export interface Appended {
  outcome: 'accepted' | 'duplicate' | 'conflict'
  shard: number
  position: bigint
}

export const RECORD = '\u001e'
const FIELD = '\u001f'

/**
 * Appends events: one call of `ledger.append`, one round trip, one transaction.
 * ```sql
 * select ordinal, outcome, shard, position from ledger.append($records, $bodies)
 * ```
 * @returns one answer an input, in order
 */
export async function append (db: Db, events: readonly Appendable[]): Promise<Appended[]> {
  return await appendAll(db, recordsOf(events), jsonArray(events.map(({ body }) => body)))
}

const appendAll = prepared((records: string, bodies: Buffer) => sql<Appended>`
  select outcome, shard, position
  from ledger.append(${records}, ${bodies}::json[])
  order by ordinal`)

export function recordsOf (events: readonly Appendable[]): string {
  return events.map(record).join(RECORD)
}

export function bodiesOf (events: readonly Appendable[]): string {
  return events.map(({ body }) => body).join(RECORD)
}

/** An event as `ledger.append` and `ledger.erase` take it: the order of the fields is the one that ledger.append documents. */
export function record (event: Appendable): string {
  return [
    event.event_id, event.subject, event.shard, event.type, event.customer_id, event.occurred_at,
    event.send_out_id, event.sender_kind, event.sender_id, event.group_id, event.project_id, event.channel,
    event.fact_digest, event.test, event.provider
  ].join(FIELD)
}

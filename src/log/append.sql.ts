import { sql } from 'kysely'
import type { Instant } from '../ledger/instant.ts'
import { binaryColumn, jsonArray, type ElementType } from '../postgres/binary-arrays.ts'
import type { Db } from '../postgres/database.ts'
import { prepared } from '../postgres/prepared.ts'
import type { EventRow } from '../postgres/tables.ts'

/**
 * An event to append: what the reading of the delivery named, its shard, and the JSON text. The database adds the rest.
 */
export type Appendable = Omit<EventRow, 'position' | 'recorded_at' | 'body_bytes' | 'body_digest' | 'fact_digest' | 'chain' | 'erased_by'> & {
  /** Hex. */
  fact_digest: string
  /** When it was first stored, for an event out of an export: `restore` keeps it. `append` sets the present time. */
  recorded_at?: Instant
}

/**
 * What became of an input: stored now, stored before, or contradicting what is stored. The position is the stored
 * event's.
 */
export interface Appended {
  outcome: 'accepted' | 'duplicate' | 'conflict'
  shard: number
  position: bigint
}

/**
 * Appends events: one call of `ledger.append`, one round trip, one transaction.
 * ```sql
 * select outcome, shard, position from ledger.append($event_ids, $subjects, …, $bodies) order by ordinal
 * ```
 * @returns one answer an input, in order
 */
export async function append (db: Db, events: readonly Appendable[]): Promise<Appended[]> {
  return await appendAll(db, ...arraysOf(events))
}

const appendAll = prepared((
  event_ids: Buffer, subjects: Buffer, shards: Buffer, providers: Buffer, types: Buffer, customer_ids: Buffer, occurred_ats: Buffer,
  send_out_ids: Buffer, sender_kinds: Buffer, sender_ids: Buffer, group_ids: Buffer, project_ids: Buffer, channels: Buffer,
  fact_digests: Buffer, tests: Buffer, bodies: Buffer
) => sql<Appended>`
  select outcome, shard, position
  from ledger.append(
    ${event_ids}, ${subjects}, ${shards}, ${providers}, ${types}, ${customer_ids}, ${occurred_ats}, ${send_out_ids},
    ${sender_kinds}, ${sender_ids}, ${group_ids}, ${project_ids}, ${channels}, ${fact_digests}, ${tests}, ${bodies})
  order by ordinal`)

type Arrays = Parameters<typeof appendAll> extends [Db, ...infer Rest] ? Rest : never

/**
 * The arguments of `ledger.append` (migrations/functions/append.sql): an array a column, each in PostgreSQL's binary
 * protocol.
 */
export function arraysOf (events: readonly Appendable[]): Arrays {
  const column = (type: ElementType, name: keyof Appendable): Buffer => binaryColumn(type, events, name)
  return [
    column('text', 'event_id'), column('text', 'subject'), column('smallint', 'shard'), column('text', 'provider'),
    column('text', 'type'), column('text', 'customer_id'), column('timestamptz', 'occurred_at'), column('text', 'send_out_id'),
    column('text', 'sender_kind'), column('text', 'sender_id'), column('text', 'group_id'), column('text', 'project_id'),
    column('text', 'channel'), column('bytea', 'fact_digest'), column('boolean', 'test'), jsonArray(events.map(({ body }) => body))
  ]
}

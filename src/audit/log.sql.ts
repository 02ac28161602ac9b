import { sql } from 'kysely'
import type { Db } from '../postgres/database.ts'
import type { EventRow } from '../postgres/tables.ts'

/** How far a shard's log goes by its head, and by its rows. */
export interface LogEnd {
  shard: number
  /** Null: `ledger.shards` does not know the shard. */
  head: bigint | null
  chain: Buffer | null
  /** The newest position that there is a row of; null: no row. */
  newest: bigint | null
}

/**
 * The ends of all shards, those with rows and no head included. One statement and so one state: an append moves the rows and
 * the head together, and what differs here was not made by one.
 */
export async function readLogEnds (db: Db): Promise<LogEnd[]> {
  // Shards that have rows, one index look-up each: the log is not read for it.
  const { rows } = await sql<LogEnd>`
    with recursive told as (
      (select e.shard from ledger.events e order by e.shard limit 1)
      union all
      select (select e.shard from ledger.events e where e.shard > told.shard order by e.shard limit 1) from told where told.shard is not null
    ), known as (
      select shard from ledger.shards union select shard from told where shard is not null
    )
    select k.shard, s.head, s.chain,
           (select e.position from ledger.events e where e.shard = k.shard order by e.position desc limit 1) as newest
    from known k
    left join ledger.shards s on s.shard = k.shard
    order by k.shard`.execute(db)
  return rows
}

/** The heads of all shards with their chain values, in one statement: one state of the log. */
export async function readChainHeads (db: Db): Promise<Array<{ shard: number, head: bigint, chain: Buffer }>> {
  return await db.selectFrom('ledger.shards').select(['shard', 'head', 'chain']).orderBy('shard').execute()
}

/** How many events there are, by the heads. */
export async function readLogSize (db: Db): Promise<bigint> {
  const { events } = await db.selectFrom('ledger.shards').select(({ fn }) => fn.sum<bigint | null>('head').as('events')).executeTakeFirstOrThrow()
  return events ?? 0n
}

/** A stored event with all that can be recomputed. Not `received_at`: nothing else in the log knows it. */
export type AuditedEvent = Omit<EventRow, 'recorded_at'>

const PAGE_EVENTS = 1000
/** Of bodies: two pages are in memory at a time, the one that is checked and the one that comes. */
const PAGE_BYTES = 4_000_000

/** Below every position there can be. */
export const BEFORE_ALL = -(2n ** 63n)

/** The events of a shard after a position and up to another, in order, as many as fit into a page (at least one). */
export async function readAuditPage (db: Db, shard: number, after: bigint, upTo: bigint): Promise<AuditedEvent[]> {
  // The stored size beside body_bytes, since that column is one of the things to be checked.
  const { rows } = await sql<AuditedEvent>`
    select event_id, subject, provider, shard, position, type, customer_id, occurred_at, test, send_out_id, sender_kind, sender_id, group_id,
           project_id, channel, body::text as body, body_bytes, body_digest, fact_digest, chain, erased_by
    from (
      select e.*, sum(greatest(e.body_bytes, pg_column_size(e.body))) over (order by e.position rows unbounded preceding)
                  - greatest(e.body_bytes, pg_column_size(e.body)) as bytes_before
      from ledger.events e
      where e.shard = ${shard} and e.position > ${after} and e.position <= ${upTo}
      order by e.position
      limit ${PAGE_EVENTS}
    ) page
    where bytes_before < ${PAGE_BYTES}
    order by position`.execute(db)
  return rows
}

/** The bodies of the events of one type that carry an id. */
export async function findBodiesOfType (db: Db, event_id: string, type: string): Promise<string[]> {
  const rows = await db.selectFrom('ledger.events').select('body').where('event_id', '=', event_id).where('type', '=', type).orderBy('subject').execute()
  return rows.map(({ body }) => body)
}

/** Columns of the log that must be unique together, and that no valid unique index keeps so. */
export async function missingUniqueness (db: Db): Promise<string[]> {
  const { rows } = await sql<{ columns: string }>`
    select array_to_string(needed.columns, ', ') as columns
    from (values (array['event_id', 'subject']), (array['position', 'shard'])) as needed (columns)
    where not exists (
      select from pg_index i
      where i.indrelid = 'ledger.events'::regclass and i.indisunique and i.indisvalid and i.indpred is null and i.indexprs is null
        and needed.columns = array(
          select a.attname::text from pg_attribute a where a.attrelid = i.indrelid and a.attnum = any (i.indkey::int2[]) order by a.attname::text collate "C"))
    order by 1`.execute(db)
  return rows.map(({ columns }) => columns)
}

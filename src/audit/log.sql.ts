import { sql } from 'kysely'
import type { Db } from '../postgres/database.ts'
import type { EventRow } from '../postgres/tables.ts'

/** The end of a shard, by its head and by its rows. */
export interface LogEnd {
  shard: number
  /** Null when `ledger.shards` has no row for the shard. */
  head: bigint | null
  chain: Buffer | null
  /** The newest position that has a row; null when the shard has no rows. */
  newest: bigint | null
}

/**
 * Reads the ends of all shards, including shards that have rows but no head. It is one statement, so it sees one
 * state of the database: an append changes the rows and the head together, so no append explains a difference here.
 */
export async function readLogEnds (db: Db): Promise<LogEnd[]> {
  // Finds the shards that have rows with one index lookup each, without reading the log.
  const { rows } = await sql<LogEnd>`
    with recursive with_rows as (
      (select e.shard from ledger.events e order by e.shard limit 1)
      union all
      select (select e.shard from ledger.events e where e.shard > with_rows.shard order by e.shard limit 1) from with_rows where with_rows.shard is not null
    ), known as (
      select shard from ledger.shards union select shard from with_rows where shard is not null
    )
    select k.shard, s.head, s.chain,
           (select e.position from ledger.events e where e.shard = k.shard order by e.position desc limit 1) as newest
    from known k
    left join ledger.shards s on s.shard = k.shard
    order by k.shard`.execute(db)
  return rows
}

/**
 * Reads the heads of all shards with their chain values. It is one statement, so the heads are one state of the log.
 */
export async function readChainHeads (db: Db): Promise<Array<{ shard: number, head: bigint, chain: Buffer }>> {
  return await db.selectFrom('ledger.shards').select(['shard', 'head', 'chain']).orderBy('shard').execute()
}

/** The number of events in the log, according to the heads. */
export async function readLogSize (db: Db): Promise<bigint> {
  const { events } = await db.selectFrom('ledger.shards').select(({ fn }) => fn.sum<bigint | null>('head').as('events')).executeTakeFirstOrThrow()
  return events ?? 0n
}

/** A stored event without `recorded_at`, which cannot be recomputed from anything else in the log. */
export type AuditedEvent = Omit<EventRow, 'recorded_at'>

const PAGE_EVENTS = 1000
/** Bytes of bodies on a page. Two pages are in memory at a time: the one being checked and the one being read. */
const PAGE_BYTES = 4_000_000

/** Lower than every possible position. */
export const BEFORE_ALL = -(2n ** 63n)

/**
 * Reads the events of a shard with `after` < position <= `upTo`, in order: as many as fit into a page, at least one.
 */
export async function readAuditPage (db: Db, shard: number, after: bigint, upTo: bigint): Promise<AuditedEvent[]> {
  // Uses the stored size as well as body_bytes, since body_bytes is itself under audit.
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

/** Reads the bodies of the events with this event id and type. */
export async function findBodiesOfType (db: Db, event_id: string, type: string): Promise<string[]> {
  const rows = await db.selectFrom('ledger.events').select('body').where('event_id', '=', event_id).where('type', '=', type).orderBy('subject').execute()
  return rows.map(({ body }) => body)
}

/** Reads which sets of columns of the log must be unique but have no valid unique index. */
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

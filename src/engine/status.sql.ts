import { sql } from 'kysely'
import type { Instant } from '../ledger/instant.ts'
import type { Db, Trx } from '../postgres/database.ts'
import { buildExists } from './rebuild/projection-schema.sql.ts'
import { BY_INDEX } from '../postgres/unnest.ts'
import { inSnapshot } from './snapshot.sql.ts'

/** The state of one live projection. */
export interface ProjectionState {
  name: string
  /** The version of the rules that folded its rows; null if it has none yet. */
  version: number | null
  lag_events: bigint
  /** When the oldest event that it has not folded was stored; null if it has folded all. */
  oldest_lacking_at: Instant | null
  /** The next events to fold that are missing from the log, as `shard:position`: damage. */
  missing: string[]
  parked: number
  oldest_parked_at: Instant | null
}

export interface ShardStanding { shard: number, head: bigint, chain: Buffer, newest_at: Instant | null }
export interface RebuildState { name: string, version: number, lag_events: bigint }
/** Stored events of a type that nobody reads. */
export interface UnreadType { type: string, events: bigint }
export interface OpenReason { reason: string, open: number }

/** How the ledger last asked a provider. */
export interface ReconciliationState {
  provider: string
  /** The state of the newest one, finished or not. */
  state: 'running' | 'stopped' | 'finished'
  ended_by: string | null
  detail: string | null
  /** When the first of all began. */
  first_started_at: Instant
  /** When the newest finished one ended; null: none has finished yet. */
  finished_at: Instant | null
  cards_compared: bigint | null
  cards_healed: bigint | null
  cards_different: bigint | null
}

/** The state of the ledger, read from one snapshot. */
export interface LedgerState {
  as_of: Instant
  projections: ProjectionState[]
  shards: ShardStanding[]
  /** Projections that a rebuild folds beside the live ones. */
  rebuild: RebuildState[]
  quarantine: OpenReason[]
  /** The newest reconciliations of everything, one a provider. */
  reconciliations: ReconciliationState[]
  /** How many events of the last week are dated more than a day after they were stored. */
  ahead: number
  unread: UnreadType[]
}

/**
 * Reads the state of the ledger from small tables and the ends of the shards: at most one event of each shard, and one
 * more for each position at which a projection lags, however long the log is.
 * @param names of the projections
 */
export async function readLedgerState (db: Db, names: readonly string[]): Promise<LedgerState> {
  return await inSnapshot(db, async trx => await ledgerStateWithin(trx, names))
}

/** The same inside a transaction that sees one state. */
export async function ledgerStateWithin (trx: Trx, names: readonly string[]): Promise<LedgerState> {
  return {
    as_of: await readNow(trx),
    projections: await readProjections(trx, names),
    shards: await readShards(trx),
    rebuild: await readRebuild(trx),
    quarantine: await countOpenByReason(trx),
    reconciliations: await readReconciliations(trx),
    ahead: await countAhead(trx),
    unread: await readUnreadTypes(trx)
  }
}

async function readNow (trx: Trx): Promise<Instant> {
  const { rows: [row] } = await sql<{ now: Instant }>`select now() as now`.execute(trx)
  if (row === undefined) throw new Error('the database returned no time')
  return row.now
}

async function readProjections (trx: Trx, names: readonly string[]): Promise<ProjectionState[]> {
  const { rows } = await sql<ProjectionState>`
    with stand as (
      select p.name, p.ordinal, s.shard, s.head, c.version, coalesce(c.position, 0) as position
      from unnest(${names}::text[]) with ordinality as p (name, ordinal)
      left join ledger.shards s on true
      left join checkpoints c on c.projection = p.name and c.shard = s.shard
    ), next as (
      select n.shard, n.position, e.recorded_at
      from (select distinct shard, position + 1 as position from stand where position < head) n
      left join lateral (
        select e.recorded_at from ledger.events e where e.shard = n.shard and e.position = n.position ${BY_INDEX}
      ) e on true
    ), still as (
      select projection, count(*)::integer as parked, min(parked_at) as oldest_parked_at from parked group by projection
    )
    select stand.name, min(stand.version) as version,
           coalesce(sum(greatest(stand.head - stand.position, 0)), 0) as lag_events,
           min(next.recorded_at) as oldest_lacking_at,
           coalesce(array_agg(next.shard || ':' || next.position order by next.shard)
                    filter (where next.shard is not null and next.recorded_at is null), '{}') as missing,
           coalesce(min(still.parked), 0) as parked, min(still.oldest_parked_at) as oldest_parked_at
    from stand
    left join next on next.shard = stand.shard and next.position = stand.position + 1
    left join still on still.projection = stand.name
    group by stand.name, stand.ordinal
    order by stand.ordinal`.execute(trx)
  return rows
}

async function readShards (trx: Trx): Promise<ShardStanding[]> {
  const { rows } = await sql<ShardStanding>`
    select s.shard, s.head, s.chain,
           (select e.recorded_at from ledger.events e where e.shard = s.shard and e.position = s.head) as newest_at
    from ledger.shards s
    order by s.shard`.execute(trx)
  return rows
}

const UNDEFINED_TABLE = '42P01'

async function readRebuild (trx: Trx): Promise<RebuildState[]> {
  if (!await buildExists(trx)) return []
  await sql`savepoint before_rebuild`.execute(trx)
  try {
    const { rows } = await sql<RebuildState>`
      select c.projection as name, c.version, sum(greatest(s.head - c.position, 0)) as lag_events
      from projection_build.checkpoints c
      join ledger.shards s on s.shard = c.shard
      group by c.projection, c.version
      order by c.projection`.execute(trx)
    return rows
  } catch (error) {
    // The rebuild was abandoned after `buildExists`.
    if ((error as { code?: string }).code !== UNDEFINED_TABLE) throw error
    await sql`rollback to savepoint before_rebuild`.execute(trx)
    return []
  }
}

async function readReconciliations (trx: Trx): Promise<ReconciliationState[]> {
  const { rows } = await sql<ReconciliationState>`
    select newest.provider, newest.state, newest.ended_by, newest.detail, first.started_at as first_started_at,
           done.ended_at as finished_at, done.cards_compared, done.cards_healed, done.cards_different
    from (select distinct provider from ledger.reconciliations) p
    cross join lateral (
      select r.* from ledger.reconciliations r where r.provider = p.provider and r.card is null and r.since is null
      order by r.started_at desc, r.reconciliation_id desc limit 1
    ) newest
    cross join lateral (
      select r.started_at from ledger.reconciliations r where r.provider = p.provider and r.card is null and r.since is null
      order by r.started_at limit 1
    ) first
    left join lateral (
      select r.* from ledger.reconciliations r where r.provider = p.provider and r.card is null and r.since is null and r.state = 'finished'
      order by r.started_at desc, r.reconciliation_id desc limit 1
    ) done on true
    order by newest.provider`.execute(trx)
  return rows
}

async function countOpenByReason (trx: Trx): Promise<OpenReason[]> {
  const { rows } = await sql<OpenReason>`
    select reason, count(*)::integer as open
    from ledger.quarantine
    where state = 'open'
    group by reason
    order by open desc, reason`.execute(trx)
  return rows
}

/** The condition is that of a partial index. */
async function countAhead (trx: Trx): Promise<number> {
  const { rows: [row] } = await sql<{ ahead: number }>`
    select count(*)::integer as ahead from ledger.events
    where occurred_at - recorded_at > interval '24 hours' and recorded_at > now() - interval '7 days'`.execute(trx)
  return row?.ahead ?? 0
}

/** The provider has some 130 types. */
const MAX_TYPES = 200

async function readUnreadTypes (trx: Trx): Promise<UnreadType[]> {
  const { rows } = await sql<UnreadType>`
    select type, events from unread_types
    order by events desc, type
    limit ${MAX_TYPES}`.execute(trx)
  return rows
}

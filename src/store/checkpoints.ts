import { sql, type RawBuilder } from 'kysely'
import type { Db, Generation, Trx } from './database.ts'

/** A projection by name and version: what a checkpoint belongs to. */
export interface ProjectionKey { name: string, version: number }

/** A shard claimed for one step, with where each projection stands in it. */
export interface Claim {
  shard: number
  head: bigint
  positions: Map<string, bigint>
}

/**
 * Makes the checkpoints of projections at position 0 where a ledger is new. Where it is not, a projection without any is
 * left without: its rows would be half built while people read them, so it has to be rebuilt.
 */
export async function createCheckpoints (db: Db, projections: readonly ProjectionKey[]): Promise<void> {
  await sql`
    insert into checkpoints (projection, version, shard)
    select p.name, p.version, s.shard
    from ${named(projections)}
    cross join ledger.shards s
    where not exists (select from checkpoints c where c.projection = p.name)
      and (not exists (select from checkpoints) or not exists (select from ledger.shards where head > 0))
    on conflict do nothing`.execute(db)
}

/** Begins projections at position 0, in a generation that nobody reads yet. */
export async function beginCheckpoints (db: Db, projections: readonly ProjectionKey[]): Promise<void> {
  await sql`
    insert into checkpoints (projection, version, shard)
    select p.name, p.version, s.shard
    from ${named(projections)}
    cross join ledger.shards s`.execute(db)
}

/** By which version of its rules each projection's rows were folded. A projection without rows of its own is absent. */
export async function readVersions (db: Db): Promise<Map<string, number>> {
  const { rows } = await sql<ProjectionKey>`select distinct projection as name, version from checkpoints`.execute(db)
  return new Map(rows.map(({ name, version }) => [name, version]))
}

/** Where a projection stands in a shard of a generation. */
export interface Standing { projection: string, version: number, shard: number, position: bigint }

/** Where every projection of a generation stands. */
export async function readStandings (db: Db, generation: Generation): Promise<Standing[]> {
  const { rows } = await sql<Standing>`
    select projection, version, shard, position from ${sql.id(generation, 'checkpoints')} order by projection, shard`.execute(db)
  return rows
}

/** How many events lie before projections, over all shards, and whether they moved of late. */
export async function readLag (db: Db, projections: readonly ProjectionKey[]): Promise<{ events: bigint, moving: boolean }> {
  const { rows: [lag] } = await sql<{ events: bigint | null, moving: boolean | null }>`
    select sum(greatest(head - position, 0)) as events, bool_or(moved_at > clock_timestamp() - interval '5 s') as moving
    from (
      select s.head, min(c.position) as position, max(c.updated_at) as moved_at
      from ${checkpointsOf(projections)}
      join ledger.shards s on s.shard = c.shard
      group by s.shard
    ) shard`.execute(db)
  return { events: lag?.events ?? 0n, moving: lag?.moving ?? false }
}

/**
 * Claims a shard in which some projection lags, and locks its checkpoints until the transaction ends. The row lock is
 * the lease: what another worker holds is skipped, and a killed worker leaves nothing to clean.
 * Shards are taken by the oldest checkpoint first, so that none starves.
 * @param projections in the versions that the generation has
 * @param among.except shards that rest
 * @param among.only the one shard that is wanted
 * @param among.upTo how far to go, by shard: what has come there does not lag
 */
export async function claimShard (
  trx: Trx, projections: readonly ProjectionKey[],
  among: { except?: readonly number[] | undefined, only?: number | undefined, upTo?: ReadonlyMap<number, bigint> | undefined }
): Promise<Claim | undefined> {
  const [first] = projections
  const { except = [], only = null, upTo } = among
  const goals = upTo === undefined
    ? sql`ledger.shards`
    : sql`(select shard, least(head, goal) as head
           from ledger.shards join unnest(${[...upTo.keys()]}::smallint[], ${[...upTo.values()].map(String)}::bigint[]) as g (shard, goal) using (shard))`
  // Everyone locks the first projection's row before the others: it stands for the shard.
  const { rows: [claimed] } = await sql<{ shard: number, head: bigint }>`
    select anchor.shard, s.head
    from checkpoints anchor
    join ${goals} s on s.shard = anchor.shard
    where anchor.projection = ${first?.name} and anchor.version = ${first?.version}::integer
      and anchor.shard <> all (${except}::smallint[]) and anchor.shard = coalesce(${only}::smallint, anchor.shard)
      and exists (
        select from ${checkpointsOf(projections)}
        where c.shard = anchor.shard and c.position < s.head)
    order by anchor.updated_at
    limit 1
    for update of anchor skip locked`.execute(trx)
  if (claimed === undefined) return undefined
  const { rows } = await sql<{ projection: string, position: bigint }>`
    select c.projection, c.position
    from ${checkpointsOf(projections)}
    where c.shard = ${claimed.shard}
    order by c.projection
    for update of c`.execute(trx)
  return { ...claimed, positions: new Map(rows.map(row => [row.projection, row.position])) }
}

/** The checkpoint was moved by someone else between claim and commit: the step must roll back. */
export class Fenced extends Error {
  override name = 'Fenced'
  readonly code = 'checkpoint_moved'
}

/**
 * Moves checkpoints by compare-and-set: the commit is the fence.
 * @throws Fenced when a checkpoint is not where the claim saw it
 */
export async function advanceCheckpoints (
  trx: Trx, projections: readonly ProjectionKey[], claim: Claim, position: bigint
): Promise<void> {
  const lagging = projections.filter(({ name }) => (claim.positions.get(name) ?? 0n) < position)
  const { numAffectedRows } = await sql`
    update checkpoints c
    set position = ${position}, updated_at = clock_timestamp()
    from unnest(
      ${lagging.map(({ name }) => name)}::text[],
      ${lagging.map(({ version }) => version)}::integer[],
      ${lagging.map(({ name }) => String(claim.positions.get(name) ?? 0n))}::bigint[]
    ) as seen (name, version, position)
    where c.projection = seen.name and c.version = seen.version and c.shard = ${claim.shard} and c.position = seen.position`.execute(trx)
  if (numAffectedRows !== BigInt(lagging.length)) {
    throw new Fenced(`a checkpoint of shard ${claim.shard} moved while this step was under way; nothing of the step is kept`)
  }
}

/** How far every one of the projections has come in a shard, in whatever version; undefined when there is no such shard. */
export async function readCheckpoint (db: Db, projections: readonly ProjectionKey[], shard: number): Promise<bigint | undefined> {
  const { rows: [row] } = await sql<{ position: bigint | null }>`select ${checkpoint(projections, shard)} as position`.execute(db)
  return row?.position ?? undefined
}

/** The same as an expression, for a read that must name the checkpoint of the very state it shows. */
export function checkpoint (projections: readonly ProjectionKey[], shard: number): RawBuilder<bigint | null> {
  return checkpointNamed(projections.map(({ name }) => name), shard)
}

export function checkpointNamed (names: readonly string[], shard: number): RawBuilder<bigint | null> {
  return sql`(select min(c.position) from checkpoints c where c.projection = any (${names}::text[]) and c.shard = ${shard})`
}

/** The checkpoints `c` of these projections in these versions. */
function checkpointsOf (projections: readonly ProjectionKey[]): RawBuilder<unknown> {
  return sql`checkpoints c join ${named(projections)} on p.name = c.projection and p.version = c.version`
}

/** Projections as rows `p (name, version)`. */
function named (projections: readonly ProjectionKey[]): RawBuilder<unknown> {
  return sql`unnest(${projections.map(({ name }) => name)}::text[], ${projections.map(({ version }) => version)}::integer[]) as p (name, version)`
}

import { sql, type RawBuilder } from 'kysely'
import type { Instant } from '../ledger/instant.ts'
import type { Db, ProjectionSchema, Trx } from '../postgres/database.ts'
import { prepared } from '../postgres/prepared.ts'
import { unnest } from '../postgres/unnest.ts'

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
export async function readStandings (db: Db, projectionSchema: ProjectionSchema): Promise<Standing[]> {
  const { rows } = await sql<Standing>`
    select projection, version, shard, position from ${sql.id(projectionSchema, 'checkpoints')} order by projection, shard`.execute(db)
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
  return { ...claimed, positions: await lockPositions(trx, projections, claimed.shard) }
}

/**
 * Claims shards in which projections lag, those that were moved longest ago, as long as there is no more to fold in all of them
 * together than is wanted: none where the first has more. What others hold is skipped, and counts. Locked by shard, as everybody
 * does, but told by when they were moved: where not all of them can be taken along, the first are. One statement, since near the
 * end of the log a step is made of little else than its statements.
 * @param among.except shards that rest
 * @param among.events so many may be left to fold
 */
export async function claimTogether (
  trx: Trx, projections: readonly ProjectionKey[], among: { except: readonly number[], events: number }
): Promise<Claim[]> {
  const [first] = projections
  const { rows } = await sql<{ shard: number, head: bigint, moved_at: Instant, projection: string, position: bigint }>`
    with anchors as materialized (
      select anchor.shard, s.head, anchor.updated_at as moved_at
      from checkpoints anchor
      join ledger.shards s on s.shard = anchor.shard
      where anchor.projection = ${first?.name} and anchor.version = ${first?.version}::integer
        and anchor.shard = any (array(
          select queue.shard
          from (
            select lagging.shard, sum(lagging.events) over (order by lagging.moved_at, lagging.shard) as events
            from (
              select c.shard, s.head - min(c.position) as events, min(c.updated_at) as moved_at
              from ${checkpointsOf(projections)}
              join ledger.shards s on s.shard = c.shard
              where c.shard <> all (${among.except}::smallint[])
              group by c.shard, s.head
            ) lagging
            where lagging.events > 0
          ) queue
          where queue.events <= ${among.events}::bigint
        ))
      order by anchor.shard
      for update of anchor skip locked
    )
    select anchors.shard, anchors.head, anchors.moved_at, c.projection, c.position
    from anchors
    join (${checkpointsOf(projections)}) on c.shard = anchors.shard
    order by c.shard, c.projection
    for update of c`.execute(trx)
  const claims = new Map<number, Claim & { moved_at: Instant }>()
  for (const { shard, head, moved_at, projection, position } of rows) {
    const claim = claims.get(shard) ?? { shard, head, moved_at, positions: new Map<string, bigint>() }
    claims.set(shard, claim)
    claim.positions.set(projection, position)
  }
  return [...claims.values()].sort((a, b) => a.moved_at < b.moved_at ? -1 : 1)
}

/** Locks the checkpoints of a shard. @returns where each projection stands in it */
async function lockPositions (trx: Trx, projections: readonly ProjectionKey[], shard: number): Promise<Map<string, bigint>> {
  const { rows } = await sql<{ projection: string, position: bigint }>`
    select c.projection, c.position
    from ${checkpointsOf(projections)}
    where c.shard = ${shard}
    order by c.projection
    for update of c`.execute(trx)
  return new Map(rows.map(({ projection, position }) => [projection, position]))
}

/** The checkpoint was moved by someone else between claim and commit: the step must roll back. */
export class Fenced extends Error {
  override name = 'Fenced'
  readonly code = 'checkpoint_moved'
}

/** Where the checkpoints of a claimed shard are to go. */
export interface Move { claim: Claim, position: bigint }

/**
 * Moves checkpoints by compare-and-set: the commit is the fence.
 * @throws Fenced when a checkpoint is not where its claim saw it
 */
export async function advanceCheckpoints (trx: Trx, projections: readonly ProjectionKey[], moves: readonly Move[]): Promise<void> {
  const lagging = moves.flatMap(({ claim: { shard, positions }, position }) => projections
    .map(({ name, version }) => ({ name, version, shard, seen: positions.get(name) ?? 0n, position }))
    .filter(({ seen }) => seen < position))
  const { numAffectedRows } = await sql`
    update checkpoints c
    set position = m.position, updated_at = clock_timestamp()
    from ${unnest(lagging, { name: 'text', version: 'integer', shard: 'smallint', seen: 'bigint', position: 'bigint' }, 'm')}
    where c.projection = m.name and c.version = m.version and c.shard = m.shard and c.position = m.seen`.execute(trx)
  if (numAffectedRows !== BigInt(lagging.length)) {
    const shards = moves.map(({ claim }) => claim.shard)
    throw new Fenced(`a checkpoint of shard ${shards.join(', ')} moved while this step was under way; nothing of the step is kept`)
  }
}

/** How far every one of the projections has come in each shard, in whatever version. */
export async function readCheckpoints (db: Db, projections: readonly ProjectionKey[]): Promise<Map<number, bigint>> {
  const rows = await leastPositions(db, projections.map(({ name }) => name))
  return new Map(rows.map(({ shard, position }) => [shard, position]))
}

const leastPositions = prepared((names: readonly string[]) => sql<{ shard: number, position: bigint }>`select shard, position from ${checkpointsByShard(names)} at`)

/** The same of one shard as an expression, for a read that must name the checkpoint of the very state it shows. */
export function checkpoint (projections: readonly ProjectionKey[], shard: number): RawBuilder<bigint | null> {
  return sql`(select min(c.position) from checkpoints c where c.projection = any (${projections.map(({ name }) => name)}::text[]) and c.shard = ${shard})`
}

/** The same of all shards, or of some, as rows `shard`, `position`. */
export function checkpointsByShard (names: readonly string[], shards?: readonly number[]): RawBuilder<unknown> {
  return sql`(
    select c.shard, min(c.position) as position from checkpoints c
    where c.projection = any (${names}::text[]) ${shards === undefined ? sql`` : sql`and c.shard = any (${shards}::smallint[])`}
    group by c.shard
  )`
}

/** The checkpoints `c` of these projections in these versions. */
function checkpointsOf (projections: readonly ProjectionKey[]): RawBuilder<unknown> {
  return sql`checkpoints c join ${named(projections)} on p.name = c.projection and p.version = c.version`
}

/** Projections as rows `p (name, version)`. */
function named (projections: readonly ProjectionKey[]): RawBuilder<unknown> {
  return sql`unnest(${projections.map(({ name }) => name)}::text[], ${projections.map(({ version }) => version)}::integer[]) as p (name, version)`
}

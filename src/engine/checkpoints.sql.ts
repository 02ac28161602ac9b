import { sql, type RawBuilder } from 'kysely'
import type { Instant } from '../ledger/instant.ts'
import type { Db, ProjectionSchema, Trx } from '../postgres/database.ts'
import { prepared } from '../postgres/prepared.ts'
import { unnest } from '../postgres/unnest.ts'

/** Name and version of a projection: the owner of a checkpoint. */
export interface ProjectionKey { name: string, version: number }

/** A position in each shard. */
export type Positions = ReadonlyMap<number, bigint>

/** A shard claimed for one step, with the position of each projection in it. */
export interface Claim {
  shard: number
  head: bigint
  positions: Map<string, bigint>
}

/**
 * Creates the checkpoints of projections at position 0 in a new ledger. In a ledger that has events, a projection
 * without checkpoints gets none, since people would read half-built rows: it has to be rebuilt.
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

/** Creates the checkpoints of projections at position 0, in a projection schema that nobody reads yet. */
export async function beginCheckpoints (db: Db, projections: readonly ProjectionKey[]): Promise<void> {
  await sql`
    insert into checkpoints (projection, version, shard)
    select p.name, p.version, s.shard
    from ${named(projections)}
    cross join ledger.shards s`.execute(db)
}

/** The version of the rules that folded each projection's rows. A projection without checkpoints is absent. */
export async function readVersions (db: Db): Promise<Map<string, number>> {
  const { rows } = await sql<ProjectionKey>`select distinct projection as name, version from checkpoints`.execute(db)
  return new Map(rows.map(({ name, version }) => [name, version]))
}

/** The position of a projection in a shard. */
export interface CheckpointPosition { projection: string, version: number, shard: number, position: bigint }

/** The positions of all projections of a projection schema. */
export async function readAllCheckpoints (db: Db, projectionSchema: ProjectionSchema): Promise<CheckpointPosition[]> {
  const { rows } = await sql<CheckpointPosition>`
    select projection, version, shard, position from ${sql.id(projectionSchema, 'checkpoints')} order by projection, shard`.execute(db)
  return rows
}

/** How many events projections lag behind, over all shards, and whether a checkpoint moved in the last 5 s. */
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

/** Which shards a claim may take. */
export interface Claimable {
  /** Shards to leave alone. */
  except?: readonly number[]
  /** The one shard that is wanted. */
  only?: number
  /** Where to stop in each shard: the shard does not lag behind this. Shards that are not named are not claimed. */
  upTo?: Positions
}

/**
 * Claims shards in which projections lag, least recently updated first, and locks their checkpoints until the
 * transaction ends. The row lock is the lease: shards locked by others are skipped, and a killed worker leaves nothing
 * to clean up.
 * @param projections in the versions that the projection schema has
 * @param among.events claims shards while their total backlog fits into this; none if the first alone exceeds it. The
 *   backlog of shards that others hold counts, too. Without it: one shard, whatever its backlog.
 */
export async function claimShards (trx: Trx, projections: readonly ProjectionKey[], among: Claimable & { events?: number }): Promise<Claim[]> {
  const [first] = projections
  const { except = [], only = null, events } = among
  // Every claim locks in one order: the rows of the first projection by shard, then those of the others.
  const { rows } = await sql<{ shard: number, head: bigint, moved_at: Instant, projection: string, position: bigint }>`
    with anchors as materialized (
      select anchor.shard, queue.head, queue.moved_at
      from checkpoints anchor
      join (
        select lagging.*, sum(lagging.events) over (order by lagging.moved_at, lagging.shard) as events_so_far
        from (
          select c.shard, goal.head, goal.head - min(c.position) as events, min(c.updated_at) as moved_at
          from ${checkpointsOf(projections)}
          join ${goals(among)} goal on goal.shard = c.shard
          where c.shard <> all (${except}::smallint[]) and c.shard = coalesce(${only}::smallint, c.shard)
          group by c.shard, goal.head
        ) lagging
        where lagging.events > 0
      ) queue on queue.shard = anchor.shard
      where anchor.projection = ${first?.name} and anchor.version = ${first?.version}::integer
      ${events === undefined ? sql`order by queue.moved_at limit 1` : sql`and queue.events_so_far <= ${events}::bigint order by anchor.shard`}
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

/** How far to go in each shard, as a table `(shard, head)`. */
function goals ({ upTo }: Claimable): RawBuilder<unknown> {
  return upTo === undefined
    ? sql`ledger.shards`
    : sql`(select shard, least(head, wanted) as head
           from ledger.shards join unnest(${[...upTo.keys()]}::smallint[], ${[...upTo.values()].map(String)}::bigint[]) as w (shard, wanted) using (shard))`
}

/** Another process moved a checkpoint between the claim and the commit: the step must roll back. */
export class Fenced extends Error {
  override name = 'Fenced'
  readonly code = 'checkpoint_moved'
}

/** The new position for the checkpoints of a claimed shard. */
export interface Move { claim: Claim, position: bigint }

/**
 * Moves checkpoints by compare-and-set: the commit is the fence.
 * @throws Fenced when a checkpoint differs from the position that its claim read
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
    throw new Fenced(`a checkpoint of shard ${shards.join(', ')} moved while this step was running; the step was rolled back`)
  }
}

/** For each shard, the position that all of these projections have reached, whatever their versions. */
export async function readCheckpoints (db: Db, projections: readonly ProjectionKey[]): Promise<Map<number, bigint>> {
  const rows = await leastPositions(db, projections.map(({ name }) => name))
  return new Map(rows.map(({ shard, position }) => [shard, position]))
}

const leastPositions = prepared((names: readonly string[]) => sql<{ shard: number, position: bigint }>`select shard, position from ${checkpointsByShard(names)} at`)

/** The same for one shard, as an expression: so a read returns the checkpoint of the very state that it shows. */
export function checkpoint (projections: readonly ProjectionKey[], shard: number): RawBuilder<bigint | null> {
  return sql`(select min(c.position) from checkpoints c where c.projection = any (${projections.map(({ name }) => name)}::text[]) and c.shard = ${shard})`
}

/** The same for all shards, or for some, as rows `shard`, `position`. */
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

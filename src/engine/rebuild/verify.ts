import { beginCheckpoints, readAllCheckpoints } from '../checkpoints.sql.ts'
import { compareTables, type Differing } from './compare.sql.ts'
import type { Db, Trx } from '../../postgres/database.ts'
import { BOOKKEEPING, createTemporaryTables, lookAt } from './projection-schema.sql.ts'
import { awaitSwitch } from '../snapshot.sql.ts'
import { walkParked, type ParkedKey } from '../parking/parked.sql.ts'
import { readHeads } from '../../log/shards.sql.ts'
import { createAutoAnalyze } from '../auto-analyze.ts'
import { livePositions, tablesOf } from './versions.ts'
import type { Projection } from '../projection.ts'
import { runStep, stepUpTo } from '../step.ts'

/** What is wrong with projections. */
export type ProjectionFinding =
  /** Rows that are not the fold of the events up to the checkpoint. */
  | { code: 'PROJECTION_MISMATCH', projection: string, difference: Differing }
  /** A card or order that is parked, so that its rows lack events. */
  | { code: 'PROJECTION_PARKED', projection: string, parked: ParkedKey }
  /** Rows that another version of the rules has folded: this version cannot compare them. */
  | { code: 'PROJECTION_OUTDATED', projection: string, version: number, live: number | undefined }
  /** A checkpoint is beyond the head of its shard: events that are stored there later would never be folded. */
  | { code: 'CHECKPOINT_AHEAD', projection: string, shard: number, position: bigint, head: bigint }

export interface ProjectionCheck {
  batch: number
  /** Called with each finding; for rows that differ, at most `limit` times for each table. */
  limit: number
  found: (finding: ProjectionFinding) => void
  /** Called with the number of rows of a table that differ beyond those that were named. */
  unnamed: (count: bigint) => void
  onStep?: (stepped: { events: number }) => void
}

/**
 * Folds the log again into temporary tables of one connection, up to the live checkpoints, and compares every row in
 * one snapshot, so everything else can go on meanwhile. Memory does not grow with the log. The temporary tables take
 * about the space of the live ones, until the connection ends.
 * @param db a pool whose connections see `pg_temp`
 */
export async function verifyProjections (db: Db, projections: readonly Projection[], check: ProjectionCheck): Promise<void> {
  await db.connection().execute(async connection => {
    await createTemporaryTables(connection, [...BOOKKEEPING, ...tablesOf(projections)])
    for (const group of await groupsOf(connection, projections, check)) {
      await beginCheckpoints(connection, group)
      await foldInBulk(connection, group, check)
      await connection.transaction().setIsolationLevel('repeatable read').execute(async trx => { await compare(trx, group, check) })
    }
  })
}

/** Groups projections with equal checkpoints, most often all: a group is folded in one pass over the log. */
async function groupsOf (db: Db, projections: readonly Projection[], check: ProjectionCheck): Promise<Projection[][]> {
  const checkpoints = await readAllCheckpoints(db, 'projection')
  const heads = new Map((await readHeads(db)).map(({ shard, head }) => [shard, head]))
  for (const { projection, shard, position } of checkpoints) {
    const head = heads.get(shard) ?? 0n
    if (position > head) check.found({ code: 'CHECKPOINT_AHEAD', projection, shard, position, head })
  }
  const groups = new Map<string, Projection[]>()
  for (const projection of projections) {
    const own = checkpoints.filter(checkpoint => checkpoint.projection === projection.name)
    const live = own[0]?.version
    if (live !== projection.version) {
      check.found({ code: 'PROJECTION_OUTDATED', projection: projection.name, version: projection.version, live })
      continue
    }
    const places = own.map(({ shard, position }) => `${shard}:${position}`).join(' ')
    groups.set(places, [...groups.get(places) ?? [], projection])
  }
  return [...groups.values()]
}

async function foldInBulk (db: Db, projections: readonly Projection[], check: ProjectionCheck): Promise<void> {
  const upTo = await livePositions(db, projections)
  const analyse = createAutoAnalyze(db, projections)
  for (;;) {
    const stepped = await runStep(db, projections, { batch: check.batch, upTo })
    if (stepped === undefined) return
    check.onStep?.(stepped)
    await analyse(stepped.events)
  }
}

/** Folds what the live projections have folded meanwhile, and compares, in one snapshot. */
async function compare (trx: Trx, projections: readonly Projection[], check: ProjectionCheck): Promise<void> {
  await awaitSwitch(trx)
  const upTo = await livePositions(trx, projections)
  await stepUpTo(trx, projections, { batch: check.batch, upTo })
  for (const projection of projections) {
    for (const table of projection.tables) {
      const { total, items } = await compareTables(trx, table, 'projection', 'pg_temp', check.limit)
      for (const difference of items) check.found({ code: 'PROJECTION_MISMATCH', projection: projection.name, difference })
      check.unnamed(total - BigInt(items.length))
    }
  }
  await lookAt(trx, 'projection')
  for await (const parked of walkParked(trx)) {
    if (projections.some(({ name }) => name === parked.projection)) check.found({ code: 'PROJECTION_PARKED', projection: parked.projection, parked })
  }
}

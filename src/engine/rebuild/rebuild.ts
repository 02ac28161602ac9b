import { setTimeout as rest } from 'node:timers/promises'
import { beginCheckpoints, readLag, readAllCheckpoints, type Positions } from '../checkpoints.sql.ts'
import type { Db, Trx } from '../../postgres/database.ts'
import { failureOf } from '../../postgres/errors.ts'
import { withRetries } from '../../postgres/retry.ts'
import { readHeads } from '../../log/shards.sql.ts'
import { BOOKKEEPING, buildExists, createBuildTables, dropBuild, lookAt, resetTables, takeBuildLock } from './projection-schema.sql.ts'
import { lockLive, setLockTimeout, switchTables } from './switch.sql.ts'
import { createAutoAnalyze } from '../auto-analyze.ts'
import { currentOf, livePositions, tablesOf } from './versions.ts'
import { inTwoLanes } from '../two-lanes.ts'
import type { Projection } from '../projection.ts'
import { isTransient, runStep, stepUpTo, type Stepped } from '../step.ts'

/**
 * The connections of a rebuild: `build` sees the tables of the rebuild, `live` the live ones; both may create tables.
 */
export interface Workplace { build: Db, live: Db }

/** Whether a rebuild is new or resumes an earlier one. */
export type Begun = 'begun' | 'resumed'

/**
 * Creates the tables of a rebuild, or finds those of an interrupted one. A projection that another version of its rules
 * was building starts from the beginning.
 */
export async function beginRebuild ({ build }: Workplace, projections: readonly Projection[]): Promise<Begun> {
  return await build.transaction().execute(async trx => {
    await takeBuildLock(trx)
    await createBuildTables(trx, [...BOOKKEEPING, ...tablesOf(projections)])
    await lookAt(trx, 'projection_build')
    const built = await currentOf(trx, projections)
    const fresh = projections.filter(projection => !built.includes(projection))
    await resetTables(trx, fresh.map(({ name }) => name), tablesOf(fresh))
    await beginCheckpoints(trx, fresh)
    return fresh.length === projections.length ? 'begun' : 'resumed'
  })
}

/** The projections that are being rebuilt by this version of the code. */
export async function underRebuild ({ build }: Workplace, projections: readonly Projection[]): Promise<Projection[]> {
  return await buildExists(build) ? await currentOf(build, projections) : []
}

/** Drops the tables of a rebuild. @returns whether there were any */
export async function abandonRebuild ({ build }: Workplace): Promise<boolean> {
  return await build.transaction().execute(async trx => {
    await takeBuildLock(trx)
    await setLockTimeout(trx, 5000)
    const found = await buildExists(trx)
    await dropBuild(trx)
    return found
  })
}

/** A rebuild that lacks no more events than these is ready: a switch folds them in a moment. */
export const NEAR_EVENTS = 500n

export interface BuildOptions { batch: number, onStep?: (stepped: Stepped) => void }

/** While events arrive, a step folds no more than these, so that the live projections run between two steps. */
const POLITE_EVENTS = 250

/** How long to rest while another process folds what is left into the same tables. */
const OTHERS_REST_MS = 50

/** For a step that lost a race or its connection. A damaged log or a missing table is not retried. */
const STEP_RETRIES = { tries: 8, passes: isTransient, backoff: { base_ms: 100, max_ms: 6400 } }

/**
 * Folds the log into the tables of a rebuild until they are near its end, in ordinary steps: after a kill, the next run
 * continues after the last one. Gives way to the live projections between steps, as long as the rebuild still catches
 * up.
 * @throws StepFailed
 */
export async function buildUp (workplace: Workplace, projections: readonly Projection[], options: BuildOptions): Promise<void> {
  const analyse = createAutoAnalyze(workplace.build, projections)
  let left = (await readLag(workplace.build, projections)).events
  for (let patient = true; ;) {
    // Events that arrive meanwhile are for the next round: a busy log has no end.
    const upTo = new Map((await readHeads(workplace.build)).map(({ shard, head }) => [shard, head]))
    await inTwoLanes(async ({ first, ended }) => {
      for (let worked_ms = 0; !ended();) {
        const { moving } = await readLag(workplace.live, projections)
        if (moving && !first) return
        if (moving && patient) await giveWay(workplace.live, projections, worked_ms)
        const began = performance.now()
        const batch = moving ? Math.min(options.batch, POLITE_EVENTS) : options.batch
        const stepped = await withRetries(async () => await runStep(workplace.build, projections, { batch, upTo }), STEP_RETRIES)
        if (stepped === undefined) return
        options.onStep?.(stepped)
        await analyse(stepped.events)
        worked_ms = performance.now() - began
      }
    })
    const { events } = await readLag(workplace.build, projections)
    if (events <= NEAR_EVENTS) return
    patient = events < left / 2n
    left = events
    await rest(OTHERS_REST_MS)
  }
}

const GIVE_WAY_POLL_MS = 5

/**
 * Rests as long as the last step took, and then at most as long again until the live projections have caught up:
 * customers wait for those, and nobody waits for a rebuild.
 */
async function giveWay (live: Db, projections: readonly Projection[], worked_ms: number): Promise<void> {
  await rest(worked_ms)
  const deadline = performance.now() + worked_ms
  while (performance.now() < deadline && (await readLag(live, projections)).events > 0n) await rest(GIVE_WAY_POLL_MS)
}

/** The live tables could not be locked: something uses them all the time. */
export class SwitchBlocked extends Error {
  override name = 'SwitchBlocked'
  readonly code = 'switch_blocked'
}

/** True if other objects depend on a table to drop; PostgreSQL names them in `detail`. */
function isDependence (error: unknown): error is { detail: string } {
  return (error as { code?: unknown }).code === '2BP01'
}

/** Shorter than PostgreSQL's deadlock_timeout of 1 s, so that in a deadlock the switch gives up and not a reader. */
const SWITCH_LOCK_MS = 500

/**
 * Replaces the live projections by rebuilt ones, in one transaction: locks out steps and reads, folds the events since
 * the last step of the rebuild, and swaps the tables. Readers wait for that moment and then see the new rows.
 * @param options.tries how often to try to get the locks
 * @throws SwitchBlocked
 */
export async function switchRebuilt (
  workplace: Workplace, projections: readonly Projection[], options: { batch: number, tries: number }
): Promise<void> {
  try {
    await withRetries(async () => {
      await buildUp(workplace, projections, options)
      await workplace.build.transaction().execute(async trx => { await switchWithin(trx, projections, options.batch) })
    }, { tries: options.tries, backoff: { base_ms: SWITCH_LOCK_MS, max_ms: SWITCH_LOCK_MS } })
  } catch (error) {
    if (isDependence(error)) throw new SwitchBlocked(`objects other than plain views depend on the live tables: ${error.detail}. Drop them, switch, and create them again; nothing was changed`, { cause: error })
    if (failureOf(error) === 'retry') throw new SwitchBlocked('the live tables are always in use, most often by a long report; nothing was changed', { cause: error })
    throw error
  }
}

async function switchWithin (trx: Trx, projections: readonly Projection[], batch: number): Promise<void> {
  await setLockTimeout(trx, SWITCH_LOCK_MS)
  await takeBuildLock(trx)
  await lockLive(trx, tablesOf(projections))
  const names = projections.map(({ name }) => name)
  await foldUpTo(trx, projections, await livePositions(trx, projections), batch)
  await switchTables(trx, names, tablesOf(projections))
  if ((await readAllCheckpoints(trx, 'projection_build')).length === 0) await dropBuild(trx)
}

async function foldUpTo (trx: Trx, projections: readonly Projection[], upTo: Positions, batch: number): Promise<void> {
  await lookAt(trx, 'projection_build')
  await stepUpTo(trx, projections, { batch, upTo })
  const behind = (await readAllCheckpoints(trx, 'projection_build'))
    .some(({ projection, shard, position }) => projections.some(({ name }) => name === projection) && position < (upTo.get(shard) ?? 0n))
  if (behind) throw new BuildInUse('another process folds into the rebuild right now')
}

/** Another process holds a shard of this build for a moment. The code is PostgreSQL's `lock_not_available`. */
class BuildInUse extends Error {
  readonly code = '55P03'
}

import { setTimeout as pause } from 'node:timers/promises'
import type { Db } from '../postgres/database.ts'
import { createCheckpoints, readCheckpoints } from './checkpoints.sql.ts'
import { failureOf } from '../postgres/errors.ts'
import { backoff_ms } from '../postgres/retry.ts'
import { readHeads } from '../log/shards.sql.ts'
import { inTwoLanes } from './two-lanes.ts'
import type { Projection } from './projection.ts'
import { runStep, StepFailed } from './step.ts'
import { createFreshness } from './freshness.ts'

/** A shard whose projections did not reach its head as it was at the start. */
export interface Lagging {
  shard: number
  position: bigint
  head: bigint
  /** Why the shard cannot be projected; undefined if only the time ran out. */
  cause?: string
}

type Heads = ReadonlyArray<{ shard: number, head: bigint }>

/** Tries of a shard whose steps collide with the locks of others, and the pauses between them. */
const RACE_TRIES = 5
const RACE_BACKOFF = { base_ms: 40, max_ms: 320 }

/**
 * Folds all events that are stored now. Running workers may do part of it: this waits for the shards that they hold,
 * but not for events that arrive meanwhile. A shard that cannot be projected is left out: one bad event must not stop
 * the other shards.
 * @param options.wait_ms how long to wait in total for shards that other workers hold
 * @returns the shards that did not get there
 */
export async function catchUp (db: Db, projections: readonly Projection[], options: { batch: number, wait_ms: number }): Promise<Lagging[]> {
  await createCheckpoints(db, projections)
  const heads = await readHeads(db)
  const failed = await projectUpTo(heads, db, projections, options.batch)
  const lagging = await reachAll(heads.filter(({ shard }) => !failed.has(shard)), db, projections, options.wait_ms)
  // A worker may meanwhile have done what failed here.
  const stuck = await reachAll(heads.filter(({ shard }) => failed.has(shard)), db, projections, 0)
  return [...lagging, ...stuck.map(shard => ({ ...shard, cause: failed.get(shard.shard) ?? '' }))].sort((a, b) => a.shard - b.shard)
}

/**
 * Waits until workers have projected what is stored now; writes nothing.
 * @returns the shards that did not get there in time
 */
export async function waitForProjections (db: Db, projections: readonly Projection[], options: { wait_ms: number }): Promise<Lagging[]> {
  return await reachAll(await readHeads(db), db, projections, options.wait_ms)
}

/** Runs steps until no shard is left below its head that nobody holds. @returns the shards that failed, and why */
async function projectUpTo (heads: Heads, db: Db, projections: readonly Projection[], batch: number): Promise<Map<number, string>> {
  const failed = new Map<number, string>()
  const upTo = new Map(heads.map(({ shard, head }) => [shard, head]))
  const races = new Map<number, number>()
  await inTwoLanes(async ({ ended }) => {
    while (!ended()) {
      try {
        // Nothing is left to claim: this lane ends. The other lane and other processes finish what they hold.
        if (await runStep(db, projections, { batch, upTo, except: [...failed.keys()] }) === undefined) return
      } catch (error) {
        if (!(error instanceof StepFailed) || failureOf(error.cause) === 'unavailable') throw error
        const lost = (races.get(error.shard) ?? 0) + 1
        races.set(error.shard, lost)
        if (failureOf(error.cause) === 'retry' && lost < RACE_TRIES) await pause(backoff_ms(lost, RACE_BACKOFF))
        else failed.set(error.shard, (error.cause as Error).message)
      }
    }
  })
  return failed
}

async function reachAll (heads: Heads, db: Db, projections: readonly Projection[], wait_ms: number): Promise<Lagging[]> {
  const freshness = createFreshness(db, projections)
  const deadline = performance.now() + wait_ms
  const lagging: Lagging[] = []
  try {
    const positions = await readCheckpoints(db, projections)
    for (const { shard, head } of heads) {
      const position = positions.get(shard) ?? 0n
      if (position >= head) continue
      const left_ms = deadline - performance.now()
      const reached = left_ms <= 0 ? position : await freshness.reach({ shard, position: head }, left_ms) ?? 0n
      if (reached < head) lagging.push({ shard, position: reached, head })
    }
    return lagging
  } finally {
    freshness.close()
  }
}

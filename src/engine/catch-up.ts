import { setTimeout as rest } from 'node:timers/promises'
import type { Db } from '../postgres/database.ts'
import { createCheckpoints, readCheckpoints } from './checkpoints.sql.ts'
import { failureOf } from '../postgres/errors.ts'
import { readHeads } from '../log/shards.sql.ts'
import { inTwoLanes } from './two-lanes.ts'
import type { Projection } from './projection.ts'
import { step, StepFailed } from './step.ts'
import { createFreshness } from './freshness.ts'

/** A shard whose projections did not get to where its log went when we looked. */
export interface Lagging {
  shard: number
  position: bigint
  head: bigint
  /** Why it cannot be projected; undefined where it was only not done in time. */
  cause?: string
}

type Heads = ReadonlyArray<{ shard: number, head: bigint }>

/** Tries of one shard that another step's locks got in the way of. */
const TRIES = 5
/** What collided once does so again if it begins again at the same moment. */
const RACE_REST_MS = 20

/**
 * Brings the projections up to what is stored now, beside whatever workers run: what they hold is waited for, what comes in
 * meanwhile is not. A shard that cannot be projected is left out: one poisoned event must not stop what the others allow.
 * @param options.wait_ms how long to wait, all in all, for shards that other workers hold
 * @returns the shards that did not get there
 */
export async function catchUp (db: Db, projections: readonly Projection[], options: { batch: number, wait_ms: number }): Promise<Lagging[]> {
  await createCheckpoints(db, projections)
  const heads = await readHeads(db)
  const failed = await stepUpTo(heads, db, projections, options.batch)
  const lagging = await reachAll(heads.filter(({ shard }) => !failed.has(shard)), db, projections, options.wait_ms)
  // A worker may have done meanwhile what we could not.
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

/** Steps shards to where their heads were. @returns those that failed, and why */
async function stepUpTo (heads: Heads, db: Db, projections: readonly Projection[], batch: number): Promise<Map<number, string>> {
  const failed = new Map<number, string>()
  const upTo = new Map(heads.map(({ shard, head }) => [shard, head]))
  const lost = new Map<number, number>()
  await inTwoLanes(async ({ ended }) => {
    while (!ended()) {
      try {
        // Nothing is left that nobody holds: the other lane goes on as long as it finds something, and so do other processes.
        if (await step(db, projections, { batch, upTo, except: [...failed.keys()] }) === undefined) return
      } catch (error) {
        if (!(error instanceof StepFailed) || failureOf(error.cause) === 'unavailable') throw error
        const races = (lost.get(error.shard) ?? 0) + 1
        lost.set(error.shard, races)
        if (failureOf(error.cause) === 'retry' && races < TRIES) await rest(Math.random() * RACE_REST_MS * 2 ** races)
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

import { createCheckpoints, readVersions } from './checkpoints.sql.ts'
import type { Db } from '../postgres/database.ts'
import { backoff_ms } from '../postgres/retry.ts'
import { createNudge } from './nudge.ts'
import { redriveAllParked } from './parking/redrive.ts'
import type { Projection } from './projection.ts'
import { outdatedOf, type Outdated } from './rebuild/versions.ts'
import { isTransient, runJointStep, runStep, StepFailed, type Stepped } from './step.ts'

export interface WorkerOptions {
  projections: readonly Projection[]
  /** Events a step takes at most. */
  batch: number
  /** Called after each commit. */
  onStep?: (stepped: Stepped) => void
  /** Called for each failed step; the worker goes on. */
  onFailure?: (error: unknown) => void
}

/** The state of a worker, for readiness and for people. */
export interface WorkerHealth {
  alive: boolean
  /** Shards whose last step failed, and why. Each is tried again after a rest; the others go on. */
  resting: Array<{ shard: number, reason: string, failures: number }>
  /**
   * Projections whose rows another version of their rules has folded: nothing is folded into them until they are
   * rebuilt.
   */
  outdated: Outdated[]
  /** Why no shard can be claimed, most often because the database does not answer; the worker keeps trying. */
  waiting: string | undefined
}

export interface Worker {
  /** There may be events to project: look for them now instead of at the next poll. */
  nudge: () => void
  health: () => WorkerHealth
  /** Finishes the current step and ends. */
  stop: () => Promise<void>
}

/** Correctness never needs a nudge: the poll finds all events, at most this late. */
const POLL_MIN_MS = 20
const POLL_MAX_MS = 1000
/** A step of so many events has more behind it. */
const BACKLOG_EVENTS = 200
/** Rests after failures: short for what passes by itself, long for what a person must repair. */
const TRANSIENT = { base_ms: 50, max_ms: 5000 }
const LASTING = { base_ms: 1000, max_ms: 60_000 }

interface Rest { reason: string, failures: number, transient: boolean, until: number }

/**
 * Starts the loop that projects whatever lags, one step at a time. Several workers, in any processes, share the shards.
 */
export function startWorker (db: Db, options: WorkerOptions): Worker {
  const nudge = createNudge()
  const stopped = createNudge()
  const rests = new Map<number, Rest>()
  let waiting: string | undefined
  let outdated: Outdated[] = []
  let stopping = false
  let redriving: Promise<void> | undefined
  let helping: Promise<void> | undefined
  let alive = true

  async function run (): Promise<void> {
    let idle_ms = POLL_MIN_MS
    let failures = 0
    let ready = false
    while (!stopping) {
      try {
        if (!ready) await createCheckpoints(db, options.projections)
        if (!ready) redriving = redriveParkedOnce()
        ready = true
        const stepped = await stepRested() ?? await stepOthers()
        failures = 0
        waiting = undefined
        if (stepped.length === 0) {
          outdated = outdatedOf(options.projections, await readVersions(db))
          await nudge.wait(Math.min(idle_ms, untilNextRestEnds_ms()))
          idle_ms = Math.min(idle_ms * 2, POLL_MAX_MS)
        } else {
          idle_ms = POLL_MIN_MS
          if (stepped.reduce((sum, { events }) => sum + events, 0) >= BACKLOG_EVENTS) helping ??= help().finally(() => { helping = undefined })
        }
      } catch (error) {
        options.onFailure?.(error)
        if (error instanceof StepFailed) {
          rest(error)
        } else {
          waiting = (error as Error).message
          // New events must not cut this short: they cannot be claimed either.
          await stopped.wait(backoff_ms(++failures, TRANSIENT))
        }
      }
    }
  }

  // A shard that failed is stepped alone until a step of it succeeds: the others must not fail with it again.
  async function stepRested (): Promise<Stepped[] | undefined> {
    const now = performance.now()
    for (const [shard, { until }] of [...rests]) {
      if (until > now) continue
      const stepped = await runStep(db, options.projections, { batch: batchNow(), only: shard })
      // The step succeeded, or another worker has brought the shard up to date.
      rests.delete(shard)
      if (stepped === undefined) continue
      options.onStep?.(stepped)
      return [stepped]
    }
    return undefined
  }

  async function stepOthers (): Promise<Stepped[]> {
    const stepped = await runJointStep(db, options.projections, { batch: batchNow(), except: [...rests.keys()] })
    for (const one of stepped) options.onStep?.(one)
    return stepped
  }

  // Reads and folds one step while PostgreSQL works for another one. Only behind a backlog: near the end of the log
  // there is one step's worth of events, and two lanes would share it.
  async function help (): Promise<void> {
    try {
      while (!stopping && (await stepOthers()).length > 0);
    } catch (error) {
      options.onFailure?.(error)
      if (error instanceof StepFailed) rest(error)
    }
  }

  // This version of the code may be able to fold what an earlier one parked. It runs beside the steps, which go on
  // however long this takes. What cannot be redriven stays parked, and visible.
  async function redriveParkedOnce (): Promise<void> {
    try {
      await redriveAllParked(db, options.projections, { failed: error => { options.onFailure?.(error) }, stopped: () => stopping })
    } catch (error) {
      options.onFailure?.(error)
    }
  }

  // Without this, a step whose statements take longer than the timeout of a connection would fail for ever. Each
  // failure halves it.
  function batchNow (): number {
    const failures = Math.max(0, ...[...rests.values()].filter(({ transient }) => transient).map(({ failures }) => failures))
    return Math.max(1, Math.floor(options.batch / 2 ** Math.min(failures, 30)))
  }

  function untilNextRestEnds_ms (): number {
    const now = performance.now()
    return Math.min(...[...rests.values()].filter(({ until }) => until > now).map(({ until }) => until - now), POLL_MAX_MS)
  }

  function rest (failed: StepFailed): void {
    const transient = isTransient(failed)
    for (const shard of [failed.shard, ...failed.others]) {
      const failures = (rests.get(shard)?.failures ?? 0) + 1
      const until = performance.now() + backoff_ms(failures, transient ? TRANSIENT : LASTING)
      rests.set(shard, { reason: failed.message, failures, transient, until })
    }
  }

  const ended = run().then(async () => { await Promise.all([redriving, helping]) }).finally(() => { alive = false })
  return {
    nudge: () => { nudge.ring() },
    health: () => ({ alive, waiting, outdated, resting: [...rests].map(([shard, { reason, failures }]) => ({ shard, reason, failures })) }),
    async stop () {
      stopping = true
      nudge.ring()
      stopped.ring()
      await ended
    }
  }
}

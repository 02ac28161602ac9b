import { createCheckpoints, Fenced, readVersions } from './checkpoints.sql.ts'
import type { Db } from '../postgres/database.ts'
import { failureOf } from '../postgres/errors.ts'
import { outdatedOf, type Outdated } from './rebuild/versions.ts'
import { createNudge } from './nudge.ts'
import type { Projection } from './projection.ts'
import { redriveAllParked } from './parking/redrive.ts'
import { step, StepFailed, stepTogether, type Stepped } from './step.ts'

export interface WorkerOptions {
  projections: readonly Projection[]
  /** Events a step takes at most. */
  batch: number
  /** Told after each commit. */
  onStep?: (stepped: Stepped) => void
  /** Told of each failed step; the worker goes on. */
  onFailure?: (error: unknown) => void
}

/** How a worker is doing, for readiness and for people. */
export interface WorkerHealth {
  alive: boolean
  /** Shards whose last step failed, and why. Each is tried again after a rest; the others go on. */
  resting: Array<{ shard: number, reason: string, failures: number }>
  /** Projections whose rows another version of their rules has folded: they stand still until they are rebuilt. */
  outdated: Outdated[]
  /** No shard can be claimed, most often because the database does not answer; the worker keeps trying. */
  waiting: string | undefined
}

export interface Worker {
  /** There may be something to do: look now instead of at the next poll. */
  nudge: () => void
  health: () => WorkerHealth
  /** Finishes the step under way and ends. */
  stop: () => Promise<void>
}

/** Correctness never needs a nudge: the poll finds all there is, at most this late. */
const POLL_MIN_MS = 20
const POLL_MAX_MS = 1000
/** A step of so many events has more behind it. */
const BACKLOG_EVENTS = 200
/** Bases and ceilings of the rests: short for what passes by itself, long for what a person must mend. */
const PASSING = { base_ms: 50, max_ms: 5000 }
const LASTING = { base_ms: 1000, max_ms: 60_000 }

interface Rest { reason: string, failures: number, passing: boolean, until: number }

/** Starts the loop that projects whatever lags, one step at a time. Several workers, in any processes, share the shards. */
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
        const stepped = await takeSuspect() ?? await takeStep()
        failures = 0
        waiting = undefined
        if (stepped.length === 0) {
          outdated = outdatedOf(options.projections, await readVersions(db))
          await nudge.wait(Math.min(idle_ms, untilNextRestEnds()))
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
          // Not to be cut short by new events: they cannot be claimed either.
          await stopped.wait(backoff(++failures, PASSING))
        }
      }
    }
  }

  async function takeStep (): Promise<Stepped[]> {
    const stepped = await stepTogether(db, options.projections, { batch: batchNow(), except: [...rests.keys()] })
    for (const one of stepped) options.onStep?.(one)
    return stepped
  }

  // A shard that failed goes alone until it has gone well: whatever is wrong with it, the others must not wait with it again.
  async function takeSuspect (): Promise<Stepped[] | undefined> {
    const now = performance.now()
    for (const [shard, { until }] of [...rests]) {
      if (until > now) continue
      const stepped = await step(db, options.projections, { batch: batchNow(), only: shard })
      // It went well, or another worker has caught it up.
      rests.delete(shard)
      if (stepped === undefined) continue
      options.onStep?.(stepped)
      return [stepped]
    }
    return undefined
  }

  // While PostgreSQL works for one step, we can read and fold for another one. Only behind a backlog: near the end of the log
  // there is one step to take, and two would share it.
  async function help (): Promise<void> {
    try {
      while (!stopping && (await takeStep()).length > 0);
    } catch (error) {
      options.onFailure?.(error)
      if (error instanceof StepFailed) rest(error)
    }
  }

  // This process may be the one that can fold what an earlier one parked. Beside the steps: however much it is, and whatever holds
  // it up, all else goes on. What is not redriven stays parked, and shown.
  async function redriveParkedOnce (): Promise<void> {
    try {
      await redriveAllParked(db, options.projections, { failed: error => { options.onFailure?.(error) }, stopped: () => stopping })
    } catch (error) {
      options.onFailure?.(error)
    }
  }

  // A step whose statements take longer than a connection may be silent would be cut off for ever: each time it takes half.
  function batchNow (): number {
    const failures = Math.max(0, ...[...rests.values()].filter(({ passing }) => passing).map(({ failures }) => failures))
    return Math.max(1, Math.floor(options.batch / 2 ** Math.min(failures, 30)))
  }

  function untilNextRestEnds (): number {
    const now = performance.now()
    return Math.min(...[...rests.values()].filter(({ until }) => until > now).map(({ until }) => until - now), POLL_MAX_MS)
  }

  function rest ({ shard, others, message, cause }: StepFailed): void {
    const passing = passes(cause)
    for (const one of [shard, ...others]) {
      const failures = (rests.get(one)?.failures ?? 0) + 1
      rests.set(one, { reason: message, failures, passing, until: performance.now() + backoff(failures, passing ? PASSING : LASTING) })
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

/** Does the failure pass by itself: the database away, or a race with another worker lost? */
function passes (error: unknown): boolean {
  return error instanceof Fenced || ['retry', 'unavailable'].includes(failureOf(error))
}

/** Exponential, with jitter in the upper half, so that many workers do not come back at once. */
function backoff (failures: number, { base_ms, max_ms }: typeof PASSING): number {
  const ceiling = Math.min(base_ms * 2 ** Math.min(failures - 1, 20), max_ms)
  return ceiling / 2 + Math.random() * ceiling / 2
}

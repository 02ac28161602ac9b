import { createCheckpoints } from '../store/checkpoints.ts'
import type { Db } from '../store/database.ts'
import { failureOf } from '../store/errors.ts'
import { createNudge } from './nudge.ts'
import type { Projection } from './projection.ts'
import { step, StepFailed, type Stepped } from './step.ts'

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
  /** Shards that fail for a reason no retry mends by itself, with the reason. */
  stuck: Array<{ shard: number, reason: string }>
  /** The database does not answer; the worker keeps trying. */
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
const RETRY_MAX_MS = 5000
const STUCK_MAX_MS = 60_000

interface Stuck { reason: string, failures: number, until: number }

/** Starts the loop that projects whatever lags, one step at a time. Several workers, in any processes, share the shards. */
export function startWorker (db: Db, options: WorkerOptions): Worker {
  const nudge = createNudge()
  const stuck = new Map<number, Stuck>()
  let waiting: string | undefined
  let stopping = false
  let alive = true

  async function run (): Promise<void> {
    let idle_ms = POLL_MIN_MS
    let failures = 0
    let ready = false
    while (!stopping) {
      try {
        if (!ready) await createCheckpoints(db, options.projections)
        ready = true
        const stepped = await step(db, options.projections, { batch: options.batch, except: resting() })
        failures = 0
        waiting = undefined
        if (stepped === undefined) {
          await nudge.wait(idle_ms)
          idle_ms = Math.min(idle_ms * 2, POLL_MAX_MS)
        } else {
          idle_ms = POLL_MIN_MS
          stuck.delete(stepped.shard)
          options.onStep?.(stepped)
        }
      } catch (error) {
        options.onFailure?.(error)
        if (error instanceof StepFailed && !passes(error.cause)) {
          setAside(error)
        } else {
          waiting = (error as Error).message
          await nudge.wait(backoff(++failures, 50, RETRY_MAX_MS))
        }
      }
    }
  }

  function resting (): number[] {
    const now = Date.now()
    return [...stuck].filter(([, { until }]) => until > now).map(([shard]) => shard)
  }

  // A shard that fails for its own reason must not hold up the others: it is tried again, more and more seldom.
  function setAside ({ shard, message }: StepFailed): void {
    const failures = (stuck.get(shard)?.failures ?? 0) + 1
    stuck.set(shard, { reason: message, failures, until: Date.now() + backoff(failures, 1000, STUCK_MAX_MS) })
  }

  const ended = run().finally(() => { alive = false })
  return {
    nudge: () => { nudge.ring() },
    health: () => ({ alive, waiting, stuck: [...stuck].map(([shard, { reason }]) => ({ shard, reason })) }),
    async stop () {
      stopping = true
      nudge.ring()
      await ended
    }
  }
}

/** Does the failure pass by itself: the database away, or a race with another worker lost? */
function passes (error: unknown): boolean {
  if (error instanceof Error && error.name === 'Fenced') return true
  const failure = failureOf(error)
  return failure === 'retry' || failure === 'unavailable'
}

/** Exponential with full jitter in the upper half, so that many workers do not come back at once. */
function backoff (failures: number, base_ms: number, max_ms: number): number {
  const ceiling = Math.min(base_ms * 2 ** Math.min(failures - 1, 20), max_ms)
  return ceiling / 2 + Math.random() * ceiling / 2
}

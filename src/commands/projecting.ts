import type { Logger } from 'pino'
import { projections } from '../projections/index.ts'
import { listenForAppends } from '../projections/listener.ts'
import type { Stepped } from '../projections/step.ts'
import { startWorker, type WorkerHealth } from '../projections/worker.ts'
import { closePool, openForSteps, type Db } from '../store/database.ts'

/** What a worker is started with: plain values, since it may run in another thread. */
export interface WorkerSettings {
  url: string
  role: string
  silence_ms: number
  /** Connections of its own. */
  poolSize: number
  /** Events a step takes at most. */
  batch: number
}

/** A worker, in this thread or in another. */
export interface Projecting {
  /** Something was appended. */
  nudge: () => void
  health: () => WorkerHealth | Promise<WorkerHealth>
  stop: () => Promise<void>
}

export interface Surroundings {
  log: Pick<Logger, 'warn' | 'error'>
  onStep: (stepped: Stepped) => void
  /** Connections that it shares with others; where nothing is said it opens its own. */
  shared?: Db
}

/** Starts a worker in this thread, and what tells it of appends by other processes. */
export function startProjecting (settings: WorkerSettings, { log, onStep, shared }: Surroundings): Projecting {
  const { url, role, silence_ms, poolSize, batch } = settings
  const onIdleError = (error: Error): void => { log.warn({ err: error }, 'a database connection broke while idle; it is replaced') }
  const { pool, db } = shared !== undefined ? { pool: undefined, db: shared } : openForSteps({ url, role, silence_ms, poolSize, name: 'worker', onIdleError })
  const worker = startWorker(db, {
    projections,
    batch,
    onStep,
    onFailure: error => { log.error({ err: error }, 'a projection step failed; it is tried again') }
  })
  const listener = listenForAppends(url, worker.nudge, silence_ms)
  return {
    nudge: worker.nudge,
    health: worker.health,
    async stop () {
      await listener.stop()
      await worker.stop()
      if (pool !== undefined) await closePool(pool)
    }
  }
}

import type { Logger } from 'pino'
import { projections } from '../projections/index.ts'
import { APPENDED_CHANNEL } from '../log/notify.sql.ts'
import { listen } from '../postgres/listener.ts'
import type { Stepped } from '../engine/step.ts'
import { startWorker, type Worker, type WorkerHealth } from '../engine/worker.ts'
import { closePool, openForSteps, type Db } from '../postgres/database.ts'

/** How a service gets at its database. */
export interface Access { url: string, role: string, timeout_ms: number }

/** What a worker is started with: plain values, since it may run in another thread. */
export interface WorkerSettings extends Access {
  /** Connections of its own. */
  poolSize: number
  /** Events a step takes at most. */
  batch: number
}

/** A worker, in this thread or in another. */
export interface RunningWorker extends Omit<Worker, 'health'> { health: () => WorkerHealth | Promise<WorkerHealth> }

type Log = Pick<Logger, 'warn' | 'error'>

/** What a service's pools do about connections that break while nobody uses them. */
export function logsIdleErrors (log: Pick<Log, 'warn'>): (error: Error) => void {
  return error => { log.warn({ err: error }, 'a database connection broke while idle; it is replaced') }
}

export interface Surroundings {
  log: Log
  onStep: (stepped: Stepped) => void
  /** Connections that it shares with others; where nothing is said it opens its own. */
  shared?: Db
}

/** Starts a worker in this thread, and what tells it of appends by other processes. */
export function startLocalWorker (settings: WorkerSettings, { log, onStep, shared }: Surroundings): RunningWorker {
  const { batch, ...access } = settings
  const { pool, db } = shared !== undefined ? { pool: undefined, db: shared } : openForSteps({ ...access, name: 'worker', onIdleError: logsIdleErrors(log) })
  const worker = startWorker(db, {
    projections,
    batch,
    onStep,
    onFailure: error => { log.error({ err: error }, 'a projection step failed; it is tried again') }
  })
  const listener = listen(access, APPENDED_CHANNEL, worker.nudge)
  return {
    ...worker,
    async stop () {
      await listener.stop()
      await worker.stop()
      if (pool !== undefined) await closePool(pool)
    }
  }
}

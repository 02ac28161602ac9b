import type { Logger } from 'pino'
import { projections } from '../projections/index.ts'
import { APPENDED_CHANNEL } from '../log/notify.sql.ts'
import { listen } from '../postgres/listener.ts'
import type { Stepped } from '../engine/step.ts'
import { startWorker, type Worker, type WorkerHealth } from '../engine/worker.ts'
import { closePool, openForSteps } from '../postgres/database.ts'

/** How the processes of a service reach their database. */
export interface ServiceAccess { url: string, role: string, timeout_ms: number }

/** What a worker is started with: plain values, since it may run in another thread. */
export interface WorkerSettings extends ServiceAccess {
  poolSize: number
  /** Events a step folds at most. */
  batch: number
}

/** A worker, in this thread or in another. */
export interface RunningWorker extends Omit<Worker, 'health'> { health: () => WorkerHealth | Promise<WorkerHealth> }

type Log = Pick<Logger, 'warn' | 'error'>

/** Logs connections that break while idle in a pool of a service. */
export function logsIdleErrors (log: Pick<Log, 'warn'>): (error: Error) => void {
  return error => { log.warn({ err: error }, 'a database connection broke while idle; it is replaced') }
}

/** Starts a worker in this thread, with connections of its own and a listener for appends by other processes. */
export function startLocalWorker ({ batch, ...access }: WorkerSettings, { log, onStep }: { log: Log, onStep: (stepped: Stepped) => void }): RunningWorker {
  const { pool, db } = openForSteps({ ...access, name: 'worker', onIdleError: logsIdleErrors(log) })
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
      await closePool(pool)
    }
  }
}

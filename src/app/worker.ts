import { extname } from 'node:path'
import { Worker as Thread } from 'node:worker_threads'
import type { Logger } from 'pino'
import { projections } from '../projections/index.ts'
import { APPENDED_CHANNEL } from '../log/notify.sql.ts'
import { listen } from '../postgres/listener.ts'
import type { Stepped } from '../engine/step.ts'
import { startWorker, type Worker, type WorkerHealth } from '../engine/worker.ts'
import { closePool, openForSteps } from '../postgres/database.ts'
import { createSharedQuestion } from './shared-question.ts'

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

/** The settings of a worker, and of what it logs. */
export interface ThreadSettings extends WorkerSettings { logLevel: string }

/** What this thread sends to the worker's. */
export type WorkerRequest = 'nudge' | 'health' | 'stop'
/** What the worker's thread sends to this one. */
export type WorkerReport = { stepped: Stepped[] } | { health: WorkerHealth }

/** A step computes for some tenths of a second at most. */
const HEALTH_TIMEOUT_MS = 2000

const ENTRY = new URL(`./worker-thread${extname(import.meta.url)}`, import.meta.url)

/**
 * Starts a worker in a thread of its own: what it computes delays neither deliveries nor reads, and they do not delay
 * its steps. If the thread fails, the process ends, as it does where all runs in one thread.
 */
export function startWorkerThread (settings: ThreadSettings, onStep: (stepped: Stepped) => void): RunningWorker {
  const thread = new Thread(ENTRY, { workerData: settings })
  const health = createSharedQuestion<WorkerHealth>(() => { send('health') }, { timeout_ms: HEALTH_TIMEOUT_MS, substitute: STUCK })
  let alive = true

  thread.on('error', error => { setImmediate(() => { throw error }) })
  const exited = new Promise<void>(resolve => {
    thread.on('exit', () => {
      alive = false
      health.answer(GONE)
      resolve()
    })
  })
  thread.on('message', (report: WorkerReport) => {
    if ('health' in report) health.answer(report.health)
    else report.stepped.forEach(onStep)
  })

  function send (request: WorkerRequest): void {
    if (alive) thread.postMessage(request)
  }

  return {
    nudge: () => { send('nudge') },
    health: async () => alive ? await health.ask() : GONE,
    async stop () {
      send('stop')
      await exited
    }
  }
}

const GONE: WorkerHealth = { alive: false, waiting: undefined, outdated: [], resting: [] }
const STUCK: WorkerHealth = { ...GONE, alive: true, waiting: `its thread has not answered for ${HEALTH_TIMEOUT_MS} ms` }

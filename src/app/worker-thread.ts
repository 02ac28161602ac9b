import { extname } from 'node:path'
import { Worker as Thread } from 'node:worker_threads'
import type { Stepped } from '../engine/step.ts'
import type { WorkerHealth } from '../engine/worker.ts'
import { createSharedQuestion } from './shared-question.ts'
import type { RunningWorker, WorkerSettings } from './worker.ts'

/** The settings of a worker, and of what it logs. */
export interface ThreadSettings extends WorkerSettings { logLevel: string }

/** What this thread sends to the worker's. */
export type WorkerRequest = 'nudge' | 'health' | 'stop'
/** What the worker's thread sends to this one. */
export type WorkerReport = { stepped: Stepped[] } | { health: WorkerHealth }

/** A step computes for some tenths of a second at most. */
const HEALTH_TIMEOUT_MS = 2000

const ENTRY = new URL(`./worker-thread.entry${extname(import.meta.url)}`, import.meta.url)

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

import { extname } from 'node:path'
import { Worker as Thread } from 'node:worker_threads'
import type { Stepped } from '../engine/step.ts'
import type { WorkerHealth } from '../engine/worker.ts'
import type { RunningWorker, WorkerSettings } from './worker.ts'

/** The settings of a worker, and of what it logs. */
export interface ThreadSettings extends WorkerSettings { logLevel: string }

export type Request = 'nudge' | 'health' | 'stop'
export type Answer = { stepped: Stepped[] } | { health: WorkerHealth }

/** A step computes for some tenths of a second at most. */
const HEALTH_TIMEOUT_MS = 2000

const ENTRY = new URL(`./worker-thread.entry${extname(import.meta.url)}`, import.meta.url)

/**
 * Starts a worker in a thread of its own: what it computes holds up neither deliveries nor reads, and these not its steps.
 * Should the thread fail, the process ends, as it does where all runs in one.
 */
export function startWorkerThread (settings: ThreadSettings, onStep: (stepped: Stepped) => void): RunningWorker {
  const thread = new Thread(ENTRY, { workerData: settings })
  const asked: Array<(health: WorkerHealth) => void> = []
  let alive = true

  thread.on('error', error => { setImmediate(() => { throw error }) })
  const exited = new Promise<void>(resolve => {
    thread.on('exit', () => {
      alive = false
      observeFields(GONE)
      resolve()
    })
  })
  thread.on('message', (said: Answer) => {
    if ('health' in said) observeFields(said.health)
    else said.stepped.forEach(onStep)
  })

  function observeFields (health: WorkerHealth): void {
    for (const answer of asked.splice(0)) answer(health)
  }

  function ask (request: Request): void {
    if (alive) thread.postMessage(request)
  }

  return {
    nudge: () => { ask('nudge') },
    async health () {
      if (!alive) return GONE
      return await new Promise(resolve => {
        const late = setTimeout(() => { resolve(STUCK) }, HEALTH_TIMEOUT_MS)
        asked.push(health => {
          clearTimeout(late)
          resolve(health)
        })
        ask('health')
      })
    },
    async stop () {
      ask('stop')
      await exited
    }
  }
}

const GONE: WorkerHealth = { alive: false, waiting: undefined, outdated: [], resting: [] }
const STUCK: WorkerHealth = { ...GONE, alive: true, waiting: `its thread has not answered for ${HEALTH_TIMEOUT_MS} ms` }

import { parentPort, workerData } from 'node:worker_threads'
import { pino } from 'pino'
import type { Stepped } from '../engine/step.ts'
import { startLocalWorker } from './worker.ts'
import type { Answer, Request, ThreadSettings } from './worker-thread.ts'

// What the thread runs: a worker, and the answers to what the other thread asks of it.

const { logLevel, ...settings } = workerData as ThreadSettings
let moved: Stepped[] = []
const worker = startLocalWorker(settings, {
  log: pino({ level: logLevel }),
  onStep (stepped) {
    // A step of several shards tells of each: one message for all.
    if (moved.push(stepped) === 1) queueMicrotask(tellMoves)
  }
})

function tellMoves (): void {
  const stepped = moved
  moved = []
  answer({ stepped })
}

function answer (said: Answer): void {
  parentPort?.postMessage(said)
}

parentPort?.on('message', (request: Request) => { void take(request) })

async function take (request: Request): Promise<void> {
  if (request === 'nudge') {
    worker.nudge()
  } else if (request === 'health') {
    answer({ health: await worker.health() })
  } else {
    await worker.stop()
    parentPort?.close()
  }
}

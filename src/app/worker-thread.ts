import { parentPort, workerData } from 'node:worker_threads'
import { pino } from 'pino'
import type { Stepped } from '../engine/step.ts'
import { startLocalWorker, type ThreadSettings, type WorkerReport, type WorkerRequest } from './worker.ts'

// This file is not imported: it is what the worker's thread runs. It starts a worker, and answers the main thread.

const { logLevel, ...settings } = workerData as ThreadSettings
let unreported: Stepped[] = []
const worker = startLocalWorker(settings, {
  log: pino({ level: logLevel }),
  onStep (stepped) {
    // A step of several shards reports each of them: one message for all.
    if (unreported.push(stepped) === 1) queueMicrotask(reportSteps)
  }
})

function reportSteps (): void {
  const stepped = unreported
  unreported = []
  report({ stepped })
}

function report (message: WorkerReport): void {
  parentPort?.postMessage(message)
}

parentPort?.on('message', (request: WorkerRequest) => { void handle(request) })

async function handle (request: WorkerRequest): Promise<void> {
  if (request === 'nudge') {
    worker.nudge()
  } else if (request === 'health') {
    report({ health: await worker.health() })
  } else {
    await worker.stop()
    parentPort?.close()
  }
}

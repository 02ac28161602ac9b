import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type pg from 'pg'
import { SECRET } from '../load/deliveries.ts'

/** Something that takes deliveries in behind Fastify and says 2xx when they are stored. */
export interface Contender {
  name: string
  /** Makes what it needs in an empty database; done once, each round gets a copy. */
  prepare?: (url: string) => Promise<void>
  /** What runs: arguments of `node`. */
  command: readonly string[]
  env?: Record<string, string>
  /** How many distinct events are stored, and how many rows in all; undefined where nothing is stored. */
  count?: (pool: pg.Pool) => Promise<{ events: number, rows: number }>
}

export interface Running {
  origin: string
  pid: number
  stop: () => Promise<void>
}

const READY_LIMIT_MS = 30_000

/** A contender's program in this folder, through the loader that reads TypeScript. */
export function program (file: string): string[] {
  return ['--import', 'tsx', fileURLToPath(new URL(file, import.meta.url))]
}

/** Starts a contender on a database and waits until it says on which address it is ready. */
export async function start (contender: Pick<Contender, 'name' | 'command' | 'env'>, url: string): Promise<Running> {
  const child = spawn(process.execPath, [...contender.command], {
    env: { ...process.env, DATABASE_URL: url, HOST: '127.0.0.1', PORT: '0', WEBHOOK_SECRETS: SECRET, LOG_LEVEL: 'warn', ...contender.env },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  const origin = await ready(child).catch((error: unknown) => {
    child.kill('SIGKILL')
    throw new Error(`${contender.name} did not start: ${(error as Error).message}`)
  })
  return {
    origin,
    pid: child.pid as number,
    async stop () {
      if (child.exitCode !== null) return
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      const late = setTimeout(() => child.kill('SIGKILL'), 10_000)
      await ended
      clearTimeout(late)
    }
  }
}

async function ready (child: ChildProcess): Promise<string> {
  const said: string[] = []
  return await new Promise((resolve, reject) => {
    const late = setTimeout(() => { reject(new Error(`nothing for ${READY_LIMIT_MS} ms; it said: ${said.join('\n')}`)) }, READY_LIMIT_MS)
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue
      createInterface({ input: stream }).on('line', line => {
        said.push(line)
        if (said.length > 50) said.shift()
        const origin = /(?:ready on|runs;) (http:\/\/127\.0\.0\.1:\d+)/.exec(line)?.[1]
        if (origin === undefined) return
        clearTimeout(late)
        resolve(origin)
      })
    }
    child.once('exit', code => {
      clearTimeout(late)
      reject(new Error(`it ended with ${code}; it said: ${said.join('\n')}`))
    })
  })
}

/** Resident memory of a process now, in MB. */
export async function residentMb (pid: number): Promise<number> {
  return await statusMb(pid, 'VmRSS')
}

/** The most a process has had resident, in MB. */
export async function peakMb (pid: number): Promise<number> {
  return await statusMb(pid, 'VmHWM')
}

async function statusMb (pid: number, field: string): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1] ?? Number.NaN) / 1024
}

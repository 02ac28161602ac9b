import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Test } from 'tap'
import { waitUntil } from './wait.ts'
import { root } from './root.ts'

/** What is tested is what is shipped: the compiler emits both at once. */
const main = join(root, 'dist/src/main.js')

export interface Finished { code: number | null, signal: string | null, stdout: string, stderr: string }
export interface Running {
  process: ChildProcess
  /** Standard output and error so far. */
  said: () => string
  finished: Promise<Finished>
}

/** Starts the command line in a process of its own. It is ended with the test. */
export function start (t: Test, args: readonly string[], environment: Record<string, string> = {}): Running {
  const { DATABASE_URL: _, WEBHOOK_SECRETS: __, HOST: ___, PORT: ____, NODE_OPTIONS: _____, ...inherited } = process.env
  const child = spawn(process.execPath, [main, ...args], { env: { ...inherited, LOG_LEVEL: 'error', ...environment }, stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => { stdout += String(chunk) })
  child.stderr.on('data', (chunk: Buffer) => { stderr += String(chunk) })
  const finished = once(child, 'close').then(([code, signal]) => ({ code: code as number | null, signal: signal as string | null, stdout, stderr }))
  t.teardown(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    await finished
  })
  return { process: child, said: () => stdout + stderr, finished }
}

/** Runs a command to its end. */
export async function run (t: Test, args: readonly string[], environment: Record<string, string> = {}): Promise<Finished> {
  return await start(t, args, environment).finished
}

/** Starts a server on a free port. @returns its base URL once it answers */
export async function serve (t: Test, args: readonly string[], environment: Record<string, string>): Promise<Running & { url: string }> {
  const server = start(t, ['serve', ...args], { PORT: '0', ...environment })
  const url = await waitUntil(() => {
    if (server.process.exitCode !== null) throw new Error(`the server ended: ${server.said()}`)
    return /http:\/\/127\.0\.0\.1:\d+/.exec(server.said())?.[0]
  }, { timeout_ms: 60_000, what: 'the server to say where it is' })
  return { ...server, url }
}

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { CommanderError, type Command } from 'commander'
import type { Test } from 'tap'
import { createProgram } from '../../src/cli/program.ts'
import { loadConfig } from '../../src/config.ts'
import { waitUntil } from './wait.ts'
import { root } from './root.ts'

/** The compiler emits tests and sources at once, so this is the program that is shipped. */
const main = join(root, 'dist/src/main.js')

export interface Finished { code: number | null, signal: string | null, stdout: string, stderr: string }
export interface Running {
  process: ChildProcess
  /** Standard output and error so far. */
  said: () => string
  finished: Promise<Finished>
}

/** The environment of a command: of this process, but without the settings of whoever runs the tests. */
function environmentOf (changes: Record<string, string>): NodeJS.ProcessEnv {
  const { DATABASE_URL: _, WEBHOOK_SECRETS: __, HOST: ___, PORT: ____, NODE_OPTIONS: _____, ...inherited } = process.env
  return { ...inherited, LOG_LEVEL: 'error', ...changes }
}

/** Starts the command line in a process of its own, which ends with the test. */
export function start (t: Test, args: readonly string[], environment: Record<string, string> = {}): Running {
  const child = spawn(process.execPath, [main, ...args], { env: environmentOf(environment), stdio: ['ignore', 'pipe', 'pipe'] })
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

/**
 * Runs a command to its end in a process of its own: for what only a process has, as its standard output or its end.
 */
export async function runProcess (t: Test, args: readonly string[], environment: Record<string, string> = {}): Promise<Finished> {
  return await start(t, args, environment).finished
}

let running: Promise<unknown> = Promise.resolve()

/**
 * Runs a command to its end in this process, one after the other: a process of its own takes 0.7 s of CPU to start.
 * What a command prints without its `Output` (the body of `export`, progress) is not captured: see `runProcess`.
 */
export async function run (_t: Test, args: readonly string[], environment: Record<string, string> = {}): Promise<Finished> {
  const finished = running.then(async () => await runHere(args, environmentOf(environment)))
  running = finished.catch(() => {})
  return await finished
}

async function runHere (args: readonly string[], environment: NodeJS.ProcessEnv): Promise<Finished> {
  let stdout = ''
  let stderr = ''
  const result = (text: string): void => { stdout += text }
  const progress = (text: string): void => { stderr += text }
  const program = createProgram({
    about: { description: 'A ledger under test', version: '0.0.0' },
    loadConfig: () => loadConfig(environment),
    createOutput: json => ({ json, result: text => { result(`${text}\n`) }, write: async part => { result(part) }, progress: line => { progress(`${line}\n`) } })
  })
  for (const command of withSubcommands(program)) command.exitOverride().configureOutput({ writeOut: result, writeErr: progress })
  const before = process.exitCode
  process.exitCode = undefined
  try {
    await program.parseAsync(args, { from: 'user' })
    return { code: exitCode(), signal: null, stdout, stderr }
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    return { code: error.exitCode, signal: null, stdout, stderr }
  } finally {
    process.exitCode = before
  }
}

function exitCode (): number {
  return Number(process.exitCode ?? 0)
}

function withSubcommands (command: Command): Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)]
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

import { spawn } from 'node:child_process'
import { open, readFile, stat, truncate } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Binaries } from './binaries.ts'
import { EmbeddedPostgresError, useYourOwn } from './errors.ts'
import { giveToFolderOwner } from './files.ts'
import type { ClusterLocation } from './location.ts'
import { findPostmaster } from './postmaster.ts'
import { asAccount } from './run.ts'

const log_limit_bytes = 10_000_000
const start_attempts = 50
/**
 * How long a server may take to write its port, which it does before recovery: normally a moment, but disks can hang.
 */
const launch_limit_ms = 60_000

export interface StartOptions {
  location: ClusterLocation
  binaries: Binaries
  /** The port of the last run; another one is used if it is not free. */
  port: number | undefined
  settings: Record<string, string>
}

/**
 * Starts a server and waits until it has written its postmaster.pid, not until it accepts connections: recovery can
 * take long. Retries failures that pass with time: a port that another program took in between, and shared memory of a
 * crashed server whose last backends are still ending.
 */
export async function start (options: StartOptions): Promise<void> {
  let port = options.port !== undefined && await isFree(options.port) ? options.port : await freePort()
  for (let attempt = 1; ; attempt++) {
    const output = await spawnServer(options, port)
    if (output === undefined) return
    if (/already exists/.test(output) && await findPostmaster(options.location.data) !== undefined) return
    if (attempt === start_attempts || !/could not create any TCP\/IP sockets|shared memory block .* still in use/.test(output)) {
      throw startError(options.location, output)
    }
    if (/TCP\/IP/.test(output)) port = await freePort()
    else await sleep(200)
  }
}

/** Starts the process. @returns undefined once it runs, or its output if it ended instead */
async function spawnServer ({ location, binaries, settings }: StartOptions, port: number): Promise<string | undefined> {
  const { data, account } = location
  const logFile = join(location.dataDir, 'postgres.log')
  const begin = await trimmedSize(logFile)
  const file = await open(logFile, 'a', 0o600)
  try {
    await giveToFolderOwner(logFile)
    const args = Object.entries({
      port: String(port),
      listen_addresses: '127.0.0.1',
      // No Unix sockets: their paths have at most 107 bytes, and their folder would be one more thing to protect.
      unix_socket_directories: '',
      timezone: 'UTC',
      log_timezone: 'UTC',
      ...settings
    }).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    // Detached into its own session: Ctrl-C goes to the whole foreground group, and PostgreSQL must live long enough
    // for us to stop it in order.
    const child = spawn(binaries.postgres, ['-D', data, ...args], { ...asAccount(account), detached: true, stdio: ['ignore', file.fd, file.fd] })
    child.unref()
    const ended = new Promise<string>(resolve => {
      child.once('error', error => { resolve(error.message) })
      child.once('exit', () => { resolve('exit') })
    })
    const deadline = Date.now() + launch_limit_ms
    for (;;) {
      const end = await Promise.race([ended, sleep(20)])
      if (end !== undefined) return end === 'exit' ? (await readFile(logFile)).subarray(begin).toString() : end
      const running = await findPostmaster(data)
      if (running?.pid === child.pid && running?.port !== undefined) return undefined
      if (Date.now() > deadline) {
        child.kill('SIGQUIT')
        return `no port in postmaster.pid within ${launch_limit_ms / 1000} s`
      }
    }
  } finally {
    await file.close()
  }
}

/**
 * Stops the server of this data directory and waits until it has ended. SIGINT ends sessions and writes a checkpoint;
 * if that takes too long, SIGQUIT does neither.
 */
export async function stop (data: string, log: (line: string) => void): Promise<void> {
  for (const [signal, limit_ms] of [['SIGINT', 60_000], ['SIGQUIT', 10_000]] as const) {
    const running = await findPostmaster(data)
    if (running === undefined) return
    if (signal === 'SIGQUIT') log('PostgreSQL does not stop in order; stopping it at once, so it recovers at the next start')
    process.kill(running.pid, signal)
    const deadline = Date.now() + limit_ms
    while (Date.now() < deadline) {
      if (await findPostmaster(data) === undefined) return
      await sleep(20)
    }
  }
  throw new EmbeddedPostgresError('stop_failed', `PostgreSQL on ${data} does not stop. Its process id is the first line of ${join(data, 'postmaster.pid')}.`)
}

function startError ({ dataDir, data }: ClusterLocation, output: string): EmbeddedPostgresError {
  if (/No space left on device|Disk quota exceeded|wrote only \d+ of \d+ bytes/.test(output)) {
    return new EmbeddedPostgresError('no_space', `The disk that holds ${data} is full, so PostgreSQL cannot start. Free some space and start again.`)
  }
  const tail = output.trim().split('\n').slice(-12).join('\n  ')
  return new EmbeddedPostgresError('start_failed', `PostgreSQL does not start on ${data} (more in ${join(dataDir, 'postgres.log')}). ${useYourOwn} It said:\n  ${tail}`)
}

/** Empties the log if it is too large, and returns its size. Only before a start: a running server keeps it open. */
async function trimmedSize (logFile: string): Promise<number> {
  const size = await stat(logFile).then(({ size }) => size, () => 0)
  if (size <= log_limit_bytes) return size
  await truncate(logFile)
  return 0
}

async function isFree (port: number): Promise<boolean> {
  return await listenOn(port).then(() => true, () => false)
}

async function freePort (): Promise<number> {
  return await listenOn(0)
}

async function listenOn (wanted: number): Promise<number> {
  return await new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(wanted, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => { resolve(typeof address === 'object' && address !== null ? address.port : 0) })
    })
  })
}

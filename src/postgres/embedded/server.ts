import { spawn } from 'node:child_process'
import { open, readFile, stat, truncate } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Binaries } from './binaries.ts'
import { EmbeddedPostgresError, useYourOwn } from './errors.ts'
import { giveToFolderOwner } from './files.ts'
import type { Place } from './place.ts'
import { findPostmaster } from './postmaster.ts'
import { asAccount } from './run.ts'

const log_limit_bytes = 10_000_000
const start_attempts = 50
/** Till it has written its port down, which it does before recovery: a moment, but disks can hang. */
const launch_limit_ms = 60_000

export interface StartOptions {
  place: Place
  binaries: Binaries
  /** The port of last time; another is taken when it is not free. */
  port: number | undefined
  settings: Record<string, string>
}

/**
 * Starts a server and waits till it has written its postmaster.pid, not till it accepts connections: recovery can take long.
 * What only time can settle is tried again: a port that someone took in between, shared memory of a crashed server whose last
 * backends are still going down.
 */
export async function start (options: StartOptions): Promise<void> {
  let port = options.port !== undefined && await isFree(options.port) ? options.port : await freePort()
  for (let attempt = 1; ; attempt++) {
    const said = await spawnServer(options, port)
    if (said === undefined) return
    if (/already exists/.test(said) && await findPostmaster(options.place.data) !== undefined) return
    if (attempt === start_attempts || !/could not create any TCP\/IP sockets|shared memory block .* still in use/.test(said)) {
      throw startError(options.place, said)
    }
    if (/TCP\/IP/.test(said)) port = await freePort()
    else await sleep(200)
  }
}

/** Starts the process. Returns undefined once it runs on its own, or what it said if it ended instead. */
async function spawnServer ({ place, binaries, settings }: StartOptions, port: number): Promise<string | undefined> {
  const { data, account } = place
  const logFile = join(place.dataDir, 'postgres.log')
  const begin = await trimmedSize(logFile)
  const file = await open(logFile, 'a', 0o600)
  try {
    await giveToFolderOwner(logFile)
    const args = Object.entries({
      port: String(port),
      listen_addresses: '127.0.0.1',
      // No unix sockets: their paths may have 107 bytes at most, and their folder would be one more thing to protect.
      unix_socket_directories: '',
      timezone: 'UTC',
      log_timezone: 'UTC',
      ...settings
    }).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    // A session of its own: Ctrl-C goes to the whole foreground group, and postgres must outlive us long enough to be stopped in order.
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
        return `nothing for ${launch_limit_ms / 1000} s`
      }
    }
  } finally {
    await file.close()
  }
}

/** Sends the signal to the server of this data directory and waits till it is gone: SIGINT ends sessions and writes a checkpoint, SIGQUIT does neither. */
export async function stop (data: string, log: (line: string) => void): Promise<void> {
  for (const [signal, limit_ms] of [['SIGINT', 60_000], ['SIGQUIT', 10_000]] as const) {
    const running = await findPostmaster(data)
    if (running === undefined) return
    if (signal === 'SIGQUIT') log('PostgreSQL does not stop in order; it is stopped at once and recovers at the next start')
    process.kill(running.pid, signal)
    const deadline = Date.now() + limit_ms
    while (Date.now() < deadline) {
      if (await findPostmaster(data) === undefined) return
      await sleep(20)
    }
  }
  throw new EmbeddedPostgresError('stop_failed', `PostgreSQL on ${data} does not stop. Its process number is the first line of ${join(data, 'postmaster.pid')}.`)
}

function startError ({ dataDir, data }: Place, said: string): EmbeddedPostgresError {
  if (/No space left on device|Disk quota exceeded|wrote only \d+ of \d+ bytes/.test(said)) {
    return new EmbeddedPostgresError('no_space', `The disk that holds ${data} is full, PostgreSQL cannot start. Free some space and start again.`)
  }
  const tail = said.trim().split('\n').slice(-12).join('\n  ')
  return new EmbeddedPostgresError('start_failed', `PostgreSQL does not start on ${data} (more in ${join(dataDir, 'postgres.log')}). ${useYourOwn} It said:\n  ${tail}`)
}

/** The size of the log. Only a start can empty it: while the server runs it holds the file, and in ordinary use it hardly writes. */
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

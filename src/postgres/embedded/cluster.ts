import { randomBytes } from 'node:crypto'
import { lchown, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type pg from 'pg'
import { findBinaries } from './binaries.ts'
import { asEmbeddedPostgresError, EmbeddedPostgresError } from './errors.ts'
import { isThere, readIfThere, writeWhole } from './files.ts'
import { hasCluster, initialise, superuser } from './initialise.ts'
import { keepRunning } from './keep-running.ts'
import { withLock } from './lock.ts'
import { locateCluster, makeDataDir, type ClusterLocation } from './location.ts'
import { findPostmaster, removeStalePidFile } from './postmaster.ts'
import { connectWhenReady, countOthers, leave, stay } from './presence.ts'
import { start, stop } from './server.ts'

const open_attempts = 5

/** A running PostgreSQL in a data folder. */
export interface EmbeddedCluster {
  /** `postgres://…` with password, of database "ledger". */
  url: string
  /** False when a server was adopted that was already running. */
  started: boolean
  /** Releases the server, and stops it if no other process uses it. Close your own connections first. */
  release: () => Promise<void>
}

export interface OpenClusterOptions {
  dataDir: string
  /** Further server settings. They apply only if this call starts the server. */
  settings?: Record<string, string>
  log?: (line: string) => void
}

/**
 * Opens the PostgreSQL of a data folder: creates it on first use, starts it, or adopts the one that is running. Any
 * number of processes can have it open; the last one to release it stops it. If a process dies without releasing it,
 * the server keeps running and the next process adopts it. If the server dies while it is open, it is started again.
 * @throws EmbeddedPostgresError, and no other error
 */
export async function openCluster (options: OpenClusterOptions): Promise<EmbeddedCluster> {
  const { settings = {}, log = () => {} } = options
  try {
    const dataDir = await makeDataDir(options.dataDir)
    const lock = join(dataDir, 'postgres.lock')
    const openLocked = async () => await withLock(lock, async () => await open(await locateCluster(dataDir, log), settings, log))
    const { started, url, data, urlOf, presence } = await openLocked()
    let released: Promise<void> | undefined
    const held = keepRunning(presence, { url, isReleased: () => released !== undefined, open: openLocked, log })
    const release = async () => {
      await withLock(lock, async () => {
        const others = await countOthers(data, await leave(held.presence()), urlOf('postgres'))
        if (others === 0) await stop(data, log)
        else log(`PostgreSQL keeps running: ${others} other connection(s) use it`)
      }).catch((error: unknown) => { throw asEmbeddedPostgresError(error, dataDir) })
    }
    return { url, started, release: async () => { await (released ??= release()) } }
  } catch (error) {
    throw asEmbeddedPostgresError(error, options.dataDir)
  }
}

async function open (location: ClusterLocation, settings: Record<string, string>, log: (line: string) => void) {
  const { dataDir, data } = location
  const urlFile = join(dataDir, 'database.url')
  const password = await ensurePassword(location)
  // sslmode is set because a PGSSLMODE in the environment is meant for another server.
  const urlOf = (database: string) => (port: number) => `postgres://${superuser}:${password}@127.0.0.1:${port}/${database}?sslmode=disable`
  for (let attempt = 1; attempt <= open_attempts; attempt++) {
    const started = await findPostmaster(data) === undefined
    if (started) await makeAndStart(location, password, settings, lastPort(await readIfThere(urlFile)), log)
    try {
      const server = await findPostmaster(data)
      const presence = server && await connectWhenReady(data, server, urlOf('postgres'), log)
      // The server was stopping or has stopped: the next attempt starts one.
      if (presence === undefined) continue
      await ensureDatabase(presence)
      const url = urlOf('ledger')(presence.port)
      if ((await readIfThere(urlFile))?.trim() !== url) await writeWhole(urlFile, `${url}\n`)
      if (!started) log(`using the PostgreSQL that is already running on port ${presence.port}`)
      stay(presence)
      return { presence, started, url, data, urlOf }
    } catch (error) {
      // The caller never gets this server, so nobody else would stop it.
      if (started) await stop(data, log).catch(() => {})
      throw error
    }
  }
  throw new EmbeddedPostgresError('start_failed', `PostgreSQL on ${data} stops right after it has started. ${join(dataDir, 'postgres.log')} says why.`)
}

async function makeAndStart (location: ClusterLocation, password: string, settings: Record<string, string>, port: number | undefined, log: (line: string) => void): Promise<void> {
  const binaries = await findBinaries(location.home, location.account, log)
  if (!await hasCluster(location, binaries)) {
    log(`creating a new PostgreSQL ${binaries.version} database in ${location.data}`)
    await initialise(location, binaries, password, { sync: settings['fsync'] !== 'off' })
  }
  await giveToAccount(location)
  await removeStalePidFile(location.data, log)
  await start({ location, binaries, port, settings })
}

/**
 * Reads the password, or creates it on first use. It is written before initdb runs, so no cluster exists without it.
 */
async function ensurePassword ({ dataDir, data }: ClusterLocation): Promise<string> {
  const file = join(dataDir, 'postgres.password')
  const known = (await readIfThere(file))?.trim()
  if (known !== undefined && known !== '') return known
  if (await isThere(join(data, 'PG_VERSION'))) {
    throw new EmbeddedPostgresError('password_missing', `${file} is missing, and with it the password of the database in ${data}. Restore the file from a backup.`)
  }
  const password = randomBytes(24).toString('base64url')
  await writeWhole(file, `${password}\n`)
  return password
}

/** Gives the data to PostgreSQL's account. What root restored from a backup is root's, which postgres refuses. */
async function giveToAccount ({ data, account }: ClusterLocation): Promise<void> {
  if (account === undefined || (await stat(data)).uid === account.uid) return
  for (const name of await readdir(data, { recursive: true })) await lchown(join(data, name), account.uid, account.gid)
  await lchown(data, account.uid, account.gid)
}

async function ensureDatabase (client: pg.Client): Promise<void> {
  const { rowCount } = await client.query("select from pg_database where datname = 'ledger'")
  if (rowCount === 0) await client.query('create database ledger')
}

function lastPort (url: string | undefined): number | undefined {
  const port = Number(/@127\.0\.0\.1:(\d+)\//.exec(url ?? '')?.[1])
  return port > 0 ? port : undefined
}

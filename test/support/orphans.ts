import { readdir, realpath, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import pg from 'pg'
import { locateCluster } from '../../src/postgres/embedded/location.ts'
import { isAlive } from '../../src/postgres/embedded/postmaster.ts'
import { stop } from '../../src/postgres/embedded/server.ts'
import { dataDirPrefix, removeRun } from './run.ts'

/** Takes down what killed runs left behind: their servers, data and, on a server of our own, databases. */
export async function removeOrphans (): Promise<void> {
  const runs = new Set((await testFolders()).map(runOf))
  for (const run of runs) {
    if (await isAlive(run)) continue
    // Another account's: not ours to remove.
    await removeServers(run).catch((error: unknown) => { console.error(`left over from an earlier run: ${(error as Error).message}`) })
    removeRun(run)
  }
  const server = process.env['TEST_DATABASE_URL']
  if (server !== undefined) await dropOrphans(server)
}

/**
 * Stops the servers of a run, whoever is connected, and removes their data: the shared one, and those of tests that
 * were killed.
 */
export async function removeServers (run: number): Promise<void> {
  for (const folder of await testFolders()) {
    if (runOf(folder) === run) await removeServer(folder)
  }
}

/** Stops the server that keeps its data in the folder, if one runs, and removes the data. */
export async function removeServer (folder: string): Promise<void> {
  const dataDir = await realpath(folder)
  const { home, data } = await locateCluster(dataDir, () => {})
  await stop(data, line => { console.error(line) })
  // What goes down can write a last file while its folder is being emptied.
  await rm(home, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  await rm(dataDir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
}

async function testFolders (): Promise<string[]> {
  const names = await readdir(dirname(dataDirPrefix))
  return names.filter(name => name.startsWith(basename(dataDirPrefix))).map(name => join(dirname(dataDirPrefix), name))
}

/** Folders are named after their run, and after a hyphen what a test likes. */
function runOf (folder: string): number {
  return Number.parseInt(folder.slice(dataDirPrefix.length), 10)
}

async function dropOrphans (connectionString: string): Promise<void> {
  const admin = new pg.Client({ connectionString })
  await admin.connect()
  try {
    const { rows } = await admin.query<{ name: string }>("select datname as name from pg_database where datname ~ '^ledger_test_[0-9]+_'")
    for (const { name } of rows) {
      if (!await isAlive(Number(name.split('_')[2]))) await admin.query(`drop database if exists ${name} with (force)`)
    }
  } finally {
    await admin.end()
  }
}

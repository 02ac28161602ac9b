import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import pg from 'pg'
import type { Test } from 'tap'
import { findPostmaster } from '../../../src/postgres/embedded/postmaster.ts'
import { removeServer } from '../../support/orphans.ts'
import { dataDirPrefix, runId } from '../../support/run.ts'

export const settings = { fsync: 'off' }

/** What a holder says of itself. */
export interface Said { url: string, started: boolean, lines: string[], code?: string, message?: string }
export interface Holder { process: ChildProcess, said: Said, release (): Promise<void>, kill (): Promise<void> }

/** A folder for data that any account can enter. Whatever runs in it is stopped and removed after the test. */
export async function dataFolder (t: Test): Promise<string> {
  // Named after the run: what a killed test leaves behind is found by the next run.
  const folder = await realpath(await mkdtemp(`${dataDirPrefix}${runId}-`))
  await chmod(folder, 0o711)
  t.teardown(async () => { await removeServer(folder) })
  return folder
}

/** Starts another process that opens the cluster, and waits for its word. */
export async function hold (t: Test, folder: string, options: { detached?: boolean } = {}): Promise<Holder> {
  const child = spawn(process.execPath, [...process.execArgv, join(import.meta.dirname, 'holder.js'), folder], { ...options, stdio: ['pipe', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  t.teardown(async () => {
    child.kill('SIGKILL')
    await exited
  })
  const { stdin } = child
  const lines = createInterface(child.stdout)
  const line = await Promise.race([once(lines, 'line'), exited.then(() => { throw new Error('the process ended without a word') })])
  return {
    process: child,
    said: JSON.parse(String(line[0])) as Said,
    release: async () => {
      stdin.write('release\n')
      await exited
    },
    kill: async () => {
      child.kill('SIGKILL')
      await exited
    }
  }
}

/** The process number of the server that runs in the folder, if one does. */
export async function serverOf (dataDir: string): Promise<number | undefined> {
  return (await findPostmaster(join(dataDir, 'postgres')))?.pid
}

/** One query on a connection of its own. */
export async function query (connectionString: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString })
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(text)).rows
  } finally {
    await client.end()
  }
}

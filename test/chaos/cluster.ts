import { readdir, readFile, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import type { Test } from 'tap'
import { openCluster } from '../../src/postgres/embedded/index.ts'
import { locateCluster } from '../../src/postgres/embedded/location.ts'
import { findPostmaster } from '../../src/postgres/embedded/postmaster.ts'
import { migrateUp } from '../../src/postgres/migrations/migrate.ts'
import { dataFolder } from '../postgres/embedded/support.ts'
import { waitUntil } from '../support/wait.ts'

/** A PostgreSQL of the test's own that can be killed, and keeps what it committed: with fsync, as in production. */
export interface ChaosCluster {
  /** The ledger's database, migrated, as its owner. */
  url: string
  pool: pg.Pool
  /**
   * kill -9 of the server and each of its processes.
   * @returns once it runs again, on the same port, and has recovered
   */
  kill: () => Promise<void>
  /** The processes of the server that serve the API and workers, in the ledger's database. */
  backends: () => Promise<number[]>
  /** kill -9 of one of them, which the server lives through. @returns once it has recovered */
  killBackend: (pick: (pids: readonly number[]) => number) => Promise<void>
}

export async function openChaosCluster (t: Test, { shards = 16 }: { shards?: number } = {}): Promise<ChaosCluster> {
  const dataDir = await dataFolder(t)
  // Opened, it is started again whenever it dies.
  const { url, release } = await openCluster({ dataDir, settings: { max_connections: '100' } })
  t.teardown(release)
  await migrateUp(url)
  const pool = new pg.Pool({ connectionString: url, application_name: 'loyalty-ledger test', max: 5 })
  pool.on('error', () => {})
  pool.on('connect', client => { client.on('error', () => {}) })
  t.teardown(async () => { await pool.end() })
  await pool.query('insert into ledger.shards (shard) select generate_series(0, $1::int - 1)', [shards])

  async function backends (): Promise<number[]> {
    const { rows } = await pool.query<{ pid: number }>(`
      select pid from pg_stat_activity
      where datname = current_database() and application_name ~ '^loyalty-ledger (api|api reads|worker|listener)$' order by pid`)
    return rows.map(({ pid }) => pid)
  }

  const { data } = await locateCluster(await realpath(dataDir), () => {})
  return {
    url,
    pool,
    backends,
    async killBackend (pick) {
      const { server, pids } = await waitUntil(async () => {
        const server = await findPostmaster(data)
        const asked = await backends()
        // What has ended by itself since is none of ours any more, whoever has its number now.
        const children = server === undefined ? [] : await childrenOf(server.pid)
        const pids = asked.filter(pid => children.includes(pid))
        return server === undefined || pids.length === 0 ? undefined : { server, pids }
      }, { timeout_ms: 60_000, what: 'a process of PostgreSQL to kill' })
      killIfThere(pick(pids))
      await waitUntil(async () => {
        const left = await childrenOf(server.pid)
        return !pids.some(pid => left.includes(pid)) && (await pool.query('select 1')).rowCount === 1
      }, { timeout_ms: 60_000, what: `PostgreSQL to recover (${join(dataDir, 'postgres.log')} says why not)` })
      if ((await findPostmaster(data))?.pid !== server.pid) throw new Error('PostgreSQL did not outlive one of its processes')
    },
    async kill () {
      const server = await waitUntil(async () => await findPostmaster(data), { what: 'a server to kill' })
      const processes = await childrenOf(server.pid)
      for (const pid of [server.pid, ...processes]) killIfThere(pid)
      await waitUntil(async () => {
        const now = await findPostmaster(data)
        return now !== undefined && now.pid !== server.pid && (await pool.query('select 1')).rowCount === 1
      }, { timeout_ms: 60_000, what: `PostgreSQL to run again (${join(dataDir, 'postgres.log')} says why not)` })
    }
  }
}

async function childrenOf (parent: number): Promise<number[]> {
  const pids = (await readdir('/proc')).filter(name => /^\d+$/.test(name)).map(Number)
  const parents = await Promise.all(pids.map(async pid => {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
    // After the name, which is in parentheses and may hold any: state, then the parent.
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  }))
  return pids.filter((_, index) => parents[index] === parent)
}

function killIfThere (pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { openCluster } from '../src/postgres/embedded/index.ts'

/** One configuration for everybody. Durable as in production: fsync and synchronous_commit stay on. */
export const SETTINGS: Record<string, string> = {
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  shared_buffers: '1GB',
  // No checkpoint inside a round: each round begins with one.
  max_wal_size: '16GB',
  checkpoint_timeout: '1h',
  autovacuum_naptime: '10s',
  max_connections: '200'
}

/** A PostgreSQL of the bench's own. */
export interface Cluster {
  /** Of database `postgres`. */
  url: string
  admin: pg.Client
  /** Makes a database, empty or as another one is that nobody uses. @returns its URL */
  create: (name: string, template?: string) => Promise<string>
  drop: (name: string) => Promise<void>
  /** Writes out what is dirty, so that no round pays for the one before. */
  settle: () => Promise<void>
  /** Does what autovacuum would do in time: tells the planner what is in a database, and marks what is settled. */
  vacuum: (url: string) => Promise<void>
  close: () => Promise<void>
}

export async function openBenchCluster (log: (line: string) => void): Promise<Cluster> {
  const dataDir = await mkdtemp(join(tmpdir(), 'loyalty-ledger-bench-'))
  // Root's PostgreSQL runs under another account, which has to get in: else the data would lie elsewhere, and stay there.
  await chmod(dataDir, 0o755)
  const cluster = await openCluster({ dataDir, settings: SETTINGS, log })
  const urlOf = (name: string): string => Object.assign(new URL(cluster.url), { pathname: `/${name}` }).href
  const admin = new pg.Client({ connectionString: urlOf('postgres'), application_name: 'bench' })
  await admin.connect()
  return {
    url: urlOf('postgres'),
    admin,
    async create (name, template = 'template0') {
      await admin.query(`drop database if exists ${name} with (force)`)
      await admin.query(`create database ${name} template ${template} strategy wal_log`)
      return urlOf(name)
    },
    async drop (name) {
      await admin.query(`drop database if exists ${name} with (force)`)
    },
    async settle () {
      await admin.query('checkpoint')
    },
    async vacuum (url) {
      const client = new pg.Client({ connectionString: url, application_name: 'bench' })
      await client.connect()
      await client.query('vacuum (analyze)')
      await client.end()
    },
    async close () {
      await admin.end()
      await cluster.release()
      await rm(dataDir, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 })
    }
  }
}

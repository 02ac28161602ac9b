import pg from 'pg'
import type { Test } from 'tap'
import { readRun, runId } from './run.ts'

let made = 0

/** The URL of another database of the same server. */
export function databaseUrl (server: string, database: string): string {
  const url = new URL(server)
  url.pathname = `/${database}`
  return url.href
}

/**
 * A database of the test's own: all migrations, `shards` empty shards (16 unless told; 0: none, as right after migrate
 * up). `blank`: nothing at all, not even migrations. `copyOf`: as that database of the same server is, which nobody may
 * use meanwhile. It is dropped when the test ends, whoever is still connected.
 */
export async function createDatabase (
  t: Test,
  { blank = false, copyOf, shards = blank || copyOf !== undefined ? 0 : 16 }: { shards?: number, blank?: boolean, copyOf?: string } = {}
): Promise<{ url: string, pool: pg.Pool }> {
  const { url: server, template: migrated, failure } = readRun()
  const template = copyOf === undefined ? migrated : new URL(copyOf).pathname.slice(1)
  if (!blank && failure !== undefined) throw new Error(`There is no template database: ${failure}`)
  const name = `ledger_test_${runId}_${process.pid}_${++made}`
  // Copying files instead (strategy file_copy) takes two checkpoints: 165 ms a clone beside 65.
  await administer(server, `create database ${name} template ${blank ? 'template0' : template} strategy wal_log`)
  const url = databaseUrl(server, name)
  const pool = new pg.Pool({ connectionString: url, application_name: 'loyalty-ledger test' })
  // A test may kill backends, and the drop below does: idle connections that end so are no news.
  pool.on('error', () => {})
  t.teardown(async () => {
    const ended = pool.end()
    await administer(server, `drop database if exists ${name} with (force)`)
    // A client that a failed test never gave back keeps end() waiting for ever; its connection is gone by now.
    if (pool.totalCount === pool.idleCount) await ended
  })
  if (shards > 0) await pool.query('insert into ledger.shards (shard) select generate_series(0, $1::int - 1)', [shards])
  return { url, pool }
}

async function administer (connectionString: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString, application_name: 'test support' })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}

// scripts/test.js runs this before the tests: one PostgreSQL for the run, and in it one migrated database to clone.
// TEST_DATABASE_URL (superuser, any database of the server) tests against another server, PostgreSQL 15 to 18.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { openCluster } from '../../src/postgres/embedded/index.ts'
import { migrateUp, migrationsFolder } from '../../src/postgres/migrations/migrate.ts'
import { databaseUrl } from './database.ts'
import { removeOrphans } from './orphans.ts'
import { dataDirPrefix, runId, writeRun } from './run.ts'

await removeOrphans()
const url = process.env['TEST_DATABASE_URL'] ?? await startServer()
const template = `ledger_template_${hashOfMigrations()}`
try {
  await makeTemplate()
  writeRun({ url, template })
} catch (error) {
  // Tests that need no database go on; the others say this.
  const { message } = error as Error
  console.error(`The template database could not be made: ${message}`)
  writeRun({ url, template, failure: message })
}

async function startServer (): Promise<string> {
  const { url } = await openCluster({
    dataDir: `${dataDirPrefix}${runId}`,
    // A test database need not survive a crash of the machine; commits still wait for their WAL, as in production.
    settings: { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'on', max_connections: '200', shared_buffers: '128MB' },
    log: line => { console.error(line) }
  })
  // Not released: the server outlives this process and cluster-stop.ts takes it down.
  return url
}

function hashOfMigrations (): string {
  const hash = createHash('sha256')
  for (const name of readdirSync(migrationsFolder, { encoding: 'utf8', recursive: true }).filter(name => name.endsWith('.sql')).sort()) hash.update(name).update(readFileSync(join(migrationsFolder, name)))
  return hash.digest('hex').slice(0, 16)
}

/** Migrates a draft and renames it: a template is whole or not there. */
async function makeTemplate (): Promise<void> {
  const admin = new pg.Client({ connectionString: url })
  await admin.connect()
  try {
    const { rowCount } = await admin.query('select from pg_database where datname = $1', [template])
    if (rowCount !== 0) return
    const draft = `ledger_test_${runId}_template`
    await admin.query(`create database ${draft}`)
    await migrateUp(databaseUrl(url, draft))
    await admin.query(`alter database ${draft} rename to ${template}`)
  } finally {
    await admin.end()
  }
}

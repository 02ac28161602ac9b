import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { test } from 'tap'
import { migrateDown, MigrationError, migrateUp, migrationStatus } from '../../../src/postgres/migrations/migrate.ts'
import { createDatabase } from '../../support/database.ts'
import { awardData, orderData } from '../../support/deliveries.ts'
import { openLedger } from '../../support/ledger.ts'
import { waitUntil } from '../../support/wait.ts'

const first = '-- Up Migration\ncreate schema ledger;\ncreate table ledger.a (n integer);\n\n-- Down Migration\ndrop schema ledger cascade;\n'
const second = '-- Up Migration\ncreate table ledger.b (n integer);\n\n-- Down Migration\ndrop table ledger.b;\n'

test('up applies what is pending, once; down takes it back, newest first', async t => {
  const { url, pool } = await createDatabase(t, { blank: true })
  const dir = t.testdir({ '0001_first.sql': first, '0002_second.sql': second, 'README.md': '# no migration', '.0002_second.sql.swp': 'x' })

  t.strictSame(await migrationStatus(pool, { dir }), { applied: [], pending: ['0001_first', '0002_second'], unknown: [], replaced: [] }, 'the status needs no table of ours')
  const said: string[] = []
  t.strictSame(await migrateUp(url, { dir, log: line => { said.push(line) } }), ['0001_first', '0002_second'])
  t.match(said.join('\n'), /0001_first/)
  t.strictSame(await migrateUp(url, { dir }), [])
  t.strictSame(await migrationStatus(url, { dir }), { applied: ['0001_first', '0002_second'], pending: [], unknown: [], replaced: [] })

  t.strictSame(await migrateDown(url, { dir, count: 1 }), ['0002_second'])
  t.strictSame(await migrationStatus(url, { dir }), { applied: ['0001_first'], pending: ['0002_second'], unknown: [], replaced: [] })
  t.strictSame(await migrateDown(url, { dir, count: 5 }), ['0001_first'])
  t.strictSame((await pool.query("select to_regnamespace('ledger') as schema")).rows, [{ schema: null }])
})

test('a database newer than the code is reported and left alone', async t => {
  const { url } = await createDatabase(t, { blank: true })
  await migrateUp(url, { dir: t.testdir({ '0001_first.sql': first, '0002_second.sql': second }) })
  const older = t.testdir({ '0001_first.sql': first })
  t.strictSame(await migrationStatus(url, { dir: older }), { applied: ['0001_first', '0002_second'], pending: [], unknown: ['0002_second'], replaced: [] })
  t.strictSame(await migrateUp(url, { dir: older }), [])
})

test('a migration that fails leaves nothing behind; those before it stay; the log points at the line', async t => {
  const { url, pool } = await createDatabase(t, { blank: true })
  const dir = t.testdir({
    '0001_first.sql': first,
    '0002_broken.sql': '-- Up Migration\ncreate table ledger.half (n integer);\nselect nonsense;\n-- Down Migration\n'
  })
  const said: string[] = []
  await t.rejects(migrateUp(url, { dir, log: line => { said.push(line) } }), { name: 'MigrationError', code: 'migration_failed', message: /nonsense/ })
  t.match(said.join('\n'), /select nonsense;\n +\^\^\^\^\n/)
  t.strictSame((await migrationStatus(pool, { dir })).applied, ['0001_first'])
  t.strictSame((await pool.query("select to_regclass('ledger.half') as half")).rows, [{ half: null }])
})

test('a migration that would come before one already applied is refused', async t => {
  const { url } = await createDatabase(t, { blank: true })
  const dir = t.testdir({ '0002_first.sql': first })
  await migrateUp(url, { dir })
  writeFileSync(join(dir, '0001_late.sql'), second)
  await t.rejects(migrateUp(url, { dir }), { code: 'migration_failed', message: /0001_late is preceding/ })
})

test('of two processes at once one migrates, the other waits and finds nothing to do', async t => {
  const { url } = await createDatabase(t, { blank: true })
  const dir = t.testdir({ '0001_first.sql': first.replace('create table', 'select pg_sleep(0.2);\ncreate table'), '0002_second.sql': second })
  const runs = await Promise.all([migrateUp(url, { dir }), migrateUp(url, { dir }), migrateUp(url, { dir })])
  t.strictSame(runs.sort((a, b) => a.length - b.length), [[], [], ['0001_first', '0002_second']])
})

test('the wait for the other process has a limit', async t => {
  const { url, pool } = await createDatabase(t, { blank: true })
  const dir = t.testdir({ '0001_slow.sql': '-- Up Migration\nselect pg_sleep(30);\n-- Down Migration\n' })
  const slow = migrateUp(url, { dir }).catch((error: unknown) => error)
  await waitUntil(async () => (await pool.query("select from pg_stat_activity where query like '%pg_sleep(30)%' and pid <> pg_backend_pid()")).rowCount)
  await t.rejects(migrateUp(url, { dir, lock_wait_ms: 50 }), { code: 'migration_locked' })
  await pool.query("select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep(30)%' and pid <> pg_backend_pid()")
  t.ok(await slow instanceof MigrationError)
})

test('the migrations of the product go up, down to nothing with data in them, and up again', async t => {
  const { url } = await createDatabase(t, { blank: true })
  const up = await migrateUp(url)
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  t.teardown(async () => { await client.end() })
  const fill = async (): Promise<void> => {
    await client.query('insert into ledger.shards (shard) select generate_series(0, 15)')
    const ledger = await openLedger(t, { database: { url, pool: new pg.Pool({ connectionString: url, max: 1 }) } })
    for (const body of [awardData(), orderData(), 'not json']) t.equal((await ledger.post(body)).statusCode, 202)
    t.equal(await ledger.project(), 2)
    await ledger.owner.end()
  }
  await fill()
  const migrations = up.filter(name => !name.includes('/'))
  t.strictSame(await migrateDown(url, { count: migrations.length }), [...migrations].reverse())
  const { rows } = await client.query("select nspname from pg_namespace where nspname !~ '^pg_' and nspname not in ('information_schema', 'public')")
  t.strictSame(rows, [], 'no schema is left')
  t.strictSame(await migrateUp(url), up)
  await fill()
})

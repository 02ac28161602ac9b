// Migrations of a database in use: what they wait for, and who waits for them.
import { cpSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { test, type Test } from 'tap'
import { migrateDown, migrateUp, migrationsFolder, migrationStatus } from '../../../src/postgres/migrations/migrate.ts'
import { run } from '../../support/cli.ts'
import { awardData } from '../../support/deliveries.ts'
import { openLedger, type TestLedger } from '../../support/ledger.ts'
import { waitUntil } from '../../support/wait.ts'

const COLUMN = '-- Up Migration\nalter table ledger.events add column note text;\n-- Down Migration\nalter table ledger.events drop column note;\n'
const INDEX = `-- Up Migration, outside a transaction
-- Dropped first: an attempt that broke off leaves one behind that no query uses; it is of no use.
drop index concurrently if exists ledger.events_type;
create index concurrently events_type on ledger.events (type, recorded_at);
-- Down Migration, outside a transaction
drop index concurrently if exists ledger.events_type;
`

/** The migrations of the product, and one more. */
function withAnother (t: Test, sql: string): string {
  const dir = t.testdir({})
  cpSync(migrationsFolder, dir, { recursive: true })
  writeFileSync(join(dir, '9001_another.sql'), sql)
  return dir
}

async function post (ledger: TestLedger, customer: string, trigger: string): Promise<void> {
  const { statusCode } = await ledger.post(awardData({ customer, card: `v_${customer}`, trigger }))
  if (statusCode !== 202) throw new Error(`a delivery was answered ${statusCode}`)
}

/** A session that holds a transaction open until it is let go. */
async function holding (t: Test, url: string, ...statements: string[]): Promise<{ pid: number, letGo: () => Promise<void> }> {
  const client = new pg.Client({ connectionString: url, application_name: 'a long report' })
  client.on('error', () => {})
  await client.connect()
  t.teardown(async () => { await client.end() })
  for (const statement of ['begin', ...statements]) await client.query(statement)
  const { rows: [session] } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
  return { pid: session?.pid ?? 0, letGo: async () => { await client.query('rollback') } }
}

/** Appends and reads without end, and measures how long each takes at most. */
function useSteadily (ledger: TestLedger): { longest_ms: () => number, count: () => number, stop: () => Promise<void> } {
  let longest_ms = 0
  let count = 0
  const stopping = new AbortController()
  const using = (async () => {
    while (!stopping.signal.aborted) {
      const started = performance.now()
      await post(ledger, 'cust_steady', `evcus_${count}`)
      await ledger.owner.query('select from ledger.events limit 1')
      longest_ms = Math.max(longest_ms, performance.now() - started)
      count++
    }
  })()
  return {
    longest_ms: () => longest_ms,
    count: () => count,
    async stop () {
      stopping.abort()
      await using
    }
  }
}

async function index (ledger: TestLedger): Promise<boolean | undefined> {
  const { rows } = await ledger.owner.query<{ indisvalid: boolean }>("select indisvalid from pg_index where indexrelid = to_regclass('ledger.events_type')")
  return rows[0]?.indisvalid
}

test('a migration that others block is tried again; appends and reads stand still no longer than one try', async t => {
  const ledger = await openLedger(t)
  await post(ledger, 'cust_1', 'evcus_1')
  const report = await holding(t, ledger.url, 'select count(*) from ledger.events')
  const using = useSteadily(ledger)
  const said: string[] = []
  const began = performance.now()
  const migrated = migrateUp(ledger.url, { dir: withAnother(t, COLUMN), lock_timeout_ms: 400, log: line => { said.push(line) } })
  const tries = (): number => said.filter(line => line.includes('it is tried again')).length
  await waitUntil(() => tries() >= 3, { what: 'the third try', timeout_ms: 30_000 })
  const blocked_ms = performance.now() - began
  const [used, longest_ms] = [using.count(), using.longest_ms()]
  await report.letGo()
  t.strictSame(await migrated, ['9001_another'])
  await using.stop()
  t.match(said.join('\n'), new RegExp(`waiting for session ${report.pid} \\(a long report, as \\w+\\) with a transaction open since 20\\d\\d-.*Z: select`))
  t.match(said.at(-1), /applied 9001_another/)
  t.ok(used > 20, 'the ledger was used meanwhile')
  t.ok(longest_ms < 400 + 600, `the longest stall was ${longest_ms.toFixed()} ms of ${blocked_ms.toFixed()} ms in which the migration was blocked`)
  t.ok(blocked_ms > 1200, 'three tries were blocked')
})

test('one that stays blocked gives up, keeps nothing, and says who is in the way', async t => {
  const ledger = await openLedger(t)
  const dir = withAnother(t, COLUMN)
  const report = await holding(t, ledger.url, 'select count(*) from ledger.events')
  await t.rejects(migrateUp(ledger.url, { dir, lock_timeout_ms: 250, blocked_wait_ms: 700 }), {
    name: 'MigrationError',
    code: 'migration_blocked',
    message: new RegExp(`9001_another did not get its locks in 0.7 s: they are held by session ${report.pid} \\(a long report.*pg_terminate_backend.*left nothing behind`),
    cause: { code: '55P03' }
  })
  t.strictSame((await migrationStatus(ledger.url, { dir })).pending, ['9001_another'])
  await post(ledger, 'cust_1', 'evcus_1')
  await report.letGo()
  t.strictSame(await migrateUp(ledger.url, { dir }), ['9001_another'])
  const again = await holding(t, ledger.url, 'select count(*) from ledger.events')
  await t.rejects(migrateDown(ledger.url, { dir, count: 1, lock_timeout_ms: 50, blocked_wait_ms: 100 }), { code: 'migration_blocked' }, 'down as up')
  await again.letGo()
})

/** Holds a shard of the log in an open append: a build of an index waits for it, appends to other shards do not. */
const OPEN_APPEND = "select * from ledger.append('{e_open}', '{-}', '{3}', '{voucherify}', '{test}', '{null}', '{null}', '{null}', '{null}', '{null}', '{null}', '{null}', '{null}', array[sha256('')], '{f}', '{\"{}\"}')"

test('an index is built while an append is open and others go on; whoever waits to migrate next is not in the way', async t => {
  const ledger = await openLedger(t)
  const dir = withAnother(t, INDEX)
  await post(ledger, 'cust_1', 'evcus_1')
  const open = await holding(t, ledger.url, OPEN_APPEND)
  const first = migrateUp(ledger.url, { dir, lock_timeout_ms: 100 })
  await waitUntil(async () => await index(ledger) === false, { what: 'the build to begin' })
  const second = migrateUp(ledger.url, { dir })
  await waitUntil(async () => (await ledger.owner.query("select from pg_stat_activity where datname = current_database() and query like '%pg_try_advisory_lock%' and state = 'idle'")).rowCount, { what: 'the second to wait' })
  const using = useSteadily(ledger)
  await waitUntil(() => using.count() > 20, { what: 'appends beside the build' })
  await using.stop()
  t.ok(using.longest_ms() < 1000, `the longest took ${using.longest_ms().toFixed()} ms`)
  t.equal(await index(ledger), false, 'it waits for the open append')
  await open.letGo()
  t.strictSame([await first, await second], [['9001_another'], []])
  t.equal(await index(ledger), true)
  t.strictSame(await migrateDown(ledger.url, { dir, count: 1 }), ['9001_another'])
  t.equal(await index(ledger), undefined)
})

test('an index whose build gave up is invalid, is reported, and the next run repairs it', async t => {
  const ledger = await openLedger(t)
  const dir = withAnother(t, INDEX)
  const open = await holding(t, ledger.url, OPEN_APPEND)
  await t.rejects(migrateUp(ledger.url, { dir, lock_timeout_ms: 50, blocked_wait_ms: 300 }), { code: 'migration_blocked', message: /held by session \d+ \(a long report.*may have left an invalid index, which no query uses and the next run repairs/ })
  t.equal(await index(ledger), false)
  const status = await run(t, ['migrate', 'status'], { DATABASE_URL: ledger.url })
  t.match(status, { code: 0, stdout: /0001_baseline +applied[^]*The index ledger\.events_type is invalid.*reindex index concurrently ledger\.events_type;/ })
  t.match(JSON.parse((await run(t, ['migrate', 'status', '--json'], { DATABASE_URL: ledger.url })).stdout), { invalid_indexes: ['ledger.events_type'] })
  const up = await run(t, ['migrate', 'up', '--wait', '5'], { DATABASE_URL: ledger.url })
  t.match(up, { code: 0, stderr: /events_type is invalid/ }, 'also by a run that has nothing to do with it')
  await open.letGo()
  t.strictSame(await migrateUp(ledger.url, { dir }), ['9001_another'])
  t.equal(await index(ledger), true)
  t.strictSame(JSON.parse((await run(t, ['migrate', 'status', '--json'], { DATABASE_URL: ledger.url })).stdout).invalid_indexes, [])
})

test('one that was killed in the middle of a build is repaired by the next run', async t => {
  const ledger = await openLedger(t)
  const dir = withAnother(t, INDEX)
  const open = await holding(t, ledger.url, OPEN_APPEND)
  const killed = migrateUp(ledger.url, { dir }).catch((error: unknown) => error)
  await waitUntil(async () => await index(ledger) === false, { what: 'the build to begin' })
  await ledger.owner.query("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'loyalty-ledger migrate'")
  t.match(await killed, { code: 'migration_failed', message: /next run repairs/ })
  t.equal(await index(ledger), false)
  await open.letGo()
  t.strictSame(await migrateUp(ledger.url, { dir }), ['9001_another'])
  t.equal(await index(ledger), true)
})

test('what runs outside a transaction is plain statements, each for itself', async t => {
  const ledger = await openLedger(t)
  const dir = withAnother(t, '-- Up Migration, outside a transaction\ndo $$ begin perform 1; end $$;\n-- Down Migration\nselect 1;\n')
  await t.rejects(migrateUp(ledger.url, { dir }), { code: 'migration_failed', message: /plain statements only/ })
})

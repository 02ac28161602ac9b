// Whatever DATABASE_URL, the role, the database or a pooler say: a connection has the settings that the ledger needs,
// or is refused.
import type pg from 'pg'
import { test, type Test } from 'tap'
import { closePool, openPool, type DatabaseOptions } from '../../src/postgres/database.ts'
import { failureOf } from '../../src/postgres/errors.ts'
import { listen } from '../../src/postgres/listener.ts'
import { run, serve } from '../support/cli.ts'
import { createDatabase } from '../support/database.ts'
import { awardData } from '../support/deliveries.ts'
import { openLedger } from '../support/ledger.ts'
import { waitUntil } from '../support/wait.ts'
import { openPooler } from './pooler.ts'

const NEEDED = { role: 'ledger_service', search_path: 'projection', synchronous_commit: 'on', datestyle: 'ISO', timezone: 'UTC', default_transaction_isolation: 'read committed' }

function withOptions (url: string, options: string): string {
  return `${url}${url.includes('?') ? '&' : '?'}options=${options}`
}

function open (t: Test, url: string, options: Partial<DatabaseOptions> = {}): pg.Pool {
  const pool = openPool({ url, role: 'ledger_service', poolSize: 1, name: 'session', ...options })
  t.teardown(async () => { await closePool(pool) })
  return pool
}

async function settingsOf (pool: pg.Pool, ...more: string[]): Promise<Record<string, string>> {
  const names = [...Object.keys(NEEDED).slice(1), ...more]
  const { rows } = await pool.query<{ name: string, value: string }>('select name, current_setting(name) as value from unnest($1::text[]) as name union all select \'role\', current_user', [names])
  const found = Object.fromEntries(rows.map(({ name, value }) => [name, value]))
  return { ...found, datestyle: found.datestyle?.split(',')[0] ?? '' }
}

async function alter (pool: pg.Pool, setting: string): Promise<void> {
  await pool.query(`do $$ begin execute format('alter database %I set ${setting.replaceAll("'", "''")}', current_database()); end $$`)
}

test('the options of DATABASE_URL add to what the ledger needs, and override none of it', async t => {
  const { url } = await createDatabase(t)
  for (const [options, more] of [
    ['-c search_path=projection', {}],
    ['-c%20geqo=off', { geqo: 'off' }],
    ['-c geqo=off -c synchronous_commit=off -c role=none -c search_path=public -c timezone=Asia/Tokyo', { geqo: 'off' }],
    ['--datestyle=SQL,DMY', {}]
  ] as const) {
    t.same(await settingsOf(open(t, withOptions(url, options)), ...Object.keys(more)), { ...NEEDED, ...more }, options)
  }
})

test('PGOPTIONS counts where the URL has no options', async t => {
  const { url } = await createDatabase(t)
  t.equal(process.env.PGOPTIONS, undefined)
  process.env.PGOPTIONS = '-c geqo=off -c synchronous_commit=off'
  t.teardown(() => { delete process.env.PGOPTIONS })
  t.same(await settingsOf(open(t, url), 'geqo'), { ...NEEDED, geqo: 'off' })
})

test('settings of the database or the role override none of it', async t => {
  const { url, pool } = await createDatabase(t)
  for (const setting of ["datestyle = 'SQL, DMY'", 'synchronous_commit = off', "timezone = 'Asia/Tokyo'", 'search_path = public', "default_transaction_isolation = 'serializable'"]) await alter(pool, setting)
  t.same(await settingsOf(open(t, url)), NEEDED)
  const ledger = await openLedger(t, { database: { url, pool } })
  await ledger.post(awardData({ points: 7 }))
  await ledger.project()
  t.match((await ledger.get('/v1/cards/v_1')).json(), { balance: 7, parked_at: null })
})

test('behind a pooler that drops startup options, in session mode, the settings are made by statement', async t => {
  const { url, pool } = await createDatabase(t)
  await alter(pool, "datestyle = 'SQL, DMY'")
  const pooled = await openPooler(t, url, { reset: true })
  for (let client = 0; client < 3; client++) {
    const service = open(t, pooled, { timeout_ms: 10_000 })
    t.same(await settingsOf(service, 'idle_in_transaction_session_timeout'), { ...NEEDED, idle_in_transaction_session_timeout: '30s' })
    await closePool(service)
  }
  let woken = 0
  const listener = listen({ url: pooled, role: 'ledger_service', timeout_ms: 5000 }, 'somewhere', () => { woken++ })
  t.teardown(() => listener.stop())
  await waitUntil(() => woken === 1, { what: 'the listener to come up' })
})

test('a pooler that hands sessions on without a reset is refused, since roles and settings would reach others', async t => {
  const { url } = await createDatabase(t)
  const pooled = await openPooler(t, url, { reset: false })
  const first = open(t, pooled)
  t.same(await settingsOf(first), NEEDED)
  await closePool(first)
  await t.rejects(settingsOf(open(t, pooled)), { code: 'session_refused', message: /session mode.*server_reset_query/ })
})

test('a database that cannot be written to is refused, but not for who only reads', async t => {
  const { url, pool } = await createDatabase(t)
  await alter(pool, 'default_transaction_read_only = on')
  const error: unknown = await open(t, url).query('select 1').catch((error: unknown) => error)
  t.match(error, { code: 'session_refused', message: /default_transaction_read_only is on.*reset it/ })
  t.equal(failureOf(error), 'unavailable', 'it may pass')
  t.same((await open(t, url, { readOnly: true }).query('select 1 as n')).rows, [{ n: 1 }])
})

test('a role that is a superuser is refused, and so is one that does not come about', async t => {
  const { url, pool } = await createDatabase(t)
  const superuser = `ledger_test_superuser_${process.pid}`
  await pool.query(`create role ${superuser} superuser`)
  t.teardown(async () => { await pool.query(`drop role if exists ${superuser}`) })
  await t.rejects(open(t, url, { role: superuser }).query('select 1'), { code: 'session_refused', message: new RegExp(`${superuser} is a superuser.*nosuperuser`) })
  await t.rejects(open(t, url, { role: 'nobody_has_this_name' }).query('select 1'), { code: '22023' })
  t.not((await settingsOf(open(t, url, { role: undefined }))).role, 'ledger_service', 'without a role it stays the login')
})

test('commands and the service say it in a sentence', async t => {
  const { url, pool } = await createDatabase(t)
  const environment = { DATABASE_URL: withOptions(url, '-c search_path=public -c synchronous_commit=off'), WEBHOOK_SECRETS: 'secret', DATA_DIR: t.testdir() }
  const listed = await run(t, ['keys', 'list'], environment)
  t.equal(listed.code, 0, listed.stderr)
  const server = await serve(t, [], environment)
  const names = async (): Promise<string[]> => (await pool.query<{ name: string }>('select distinct application_name as name from pg_stat_activity where datname = current_database()')).rows.map(({ name }) => name)
  await waitUntil(async () => {
    const connected = await names()
    return ['serve', 'worker', 'listener'].every(name => connected.includes(`loyalty-ledger ${name}`))
  }, { what: 'the pools and the listener to be connected' })
  server.process.kill('SIGTERM')
  await server.finished

  await alter(pool, 'default_transaction_read_only = on')
  for (const args of [['serve'], ['keys', 'create', 'somebody']]) {
    const { code, stderr } = await run(t, args, { ...environment, PORT: '0' })
    t.equal(code, 1)
    t.match(stderr, /^(.*\n)*The database connection is not what the ledger needs: default_transaction_read_only is on/, args.join(' '))
    t.notMatch(stderr, /Does PostgreSQL run there/)
  }
  const status = await run(t, ['status'], environment)
  t.equal(status.code, 0, status.stderr)
})

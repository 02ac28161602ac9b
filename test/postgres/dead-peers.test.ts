import type pg from 'pg'
import { test, type Test } from 'tap'
import { closePool, openPool, type DatabaseOptions } from '../../src/postgres/database.ts'
import { failureOf } from '../../src/postgres/errors.ts'
import { openProxy } from '../chaos/proxy.ts'
import { createDatabase } from '../support/database.ts'
import { waitUntil } from '../support/wait.ts'

function open (t: Test, options: Partial<DatabaseOptions> & { url: string }): pg.Pool {
  const pool = openPool({ poolSize: 3, name: 'service', ...options })
  t.teardown(async () => { await closePool(pool) })
  return pool
}

test('a statement on a connection that went silent fails in time, and the next one gets another connection', async t => {
  const { url } = await createDatabase(t)
  const proxy = await openProxy(t, url)
  const pool = open(t, { url: proxy.url, timeout_ms: 1000 })
  await pool.query('select 1')
  proxy.links()[0]?.die()
  const error: unknown = await pool.query('select 1').catch((error: unknown) => error)
  t.match(error, { code: 'ETIMEDOUT', message: 'the database has said nothing for 1000 ms' })
  t.equal(failureOf(error), 'unavailable')
  t.same((await pool.query('select 1 as n')).rows, [{ n: 1 }])
})

test('who rests is not silent: idle connections are closed in order before', async t => {
  const { url } = await createDatabase(t)
  const proxy = await openProxy(t, url)
  const errors: Error[] = []
  const pool = open(t, { url: proxy.url, timeout_ms: 1000, onIdleError: error => { errors.push(error) } })
  await Promise.all([1, 2, 3].map(async () => await pool.query('select 1')))
  await waitUntil(() => proxy.links().length === 0, { what: 'the connections to be closed' })
  t.same(errors, [])
})

test('what was given up while it waited for a lock is ended by the server, too, and holds up nobody', async t => {
  const { url, pool: owner } = await createDatabase(t)
  const pool = open(t, { url, timeout_ms: 1000 })
  const waiting = async (): Promise<number | null> => (await owner.query("select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'")).rowCount
  const holder = await owner.connect()
  await holder.query('begin')
  await holder.query('lock table ledger.shards')
  const vain = pool.query('select from ledger.shards')
  vain.catch(() => {})
  await waitUntil(async () => await waiting() === 1)
  await t.rejects(vain, { code: 'ETIMEDOUT' })
  await waitUntil(async () => await waiting() === 0, { what: 'the server to notice' })
  await holder.query('rollback')
  holder.release()
})

test('without a bound a statement may take its time', async t => {
  const { url } = await createDatabase(t)
  const patient = await open(t, { url }).query<{ name: string, setting: string }>("select name, setting from pg_settings where name in ('idle_in_transaction_session_timeout', 'client_connection_check_interval')")
  t.same(patient.rows.map(({ setting }) => setting), ['0', '0'])
  const service = await open(t, { url, timeout_ms: 10_000 }).query<{ name: string, setting: string }>(`
    select name, setting from pg_settings
    where name in ('idle_in_transaction_session_timeout', 'client_connection_check_interval') or name like 'tcp\\_%'
    order by name`)
  t.same(Object.fromEntries(service.rows.map(({ name, setting }) => [name, setting])), {
    client_connection_check_interval: '10000',
    idle_in_transaction_session_timeout: '30000',
    tcp_keepalives_count: '2',
    tcp_keepalives_idle: '10',
    tcp_keepalives_interval: '10',
    tcp_user_timeout: '30000'
  })
})

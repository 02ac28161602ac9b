// What failed is told apart by codes. The driver gives some of its errors none: they get one where they leave it.
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { sql } from 'kysely'
import type pg from 'pg'
import { test, type Test } from 'tap'
import { explain } from '../../src/app/errors.ts'
import { closePool, databaseOf, openPool, type DatabaseOptions } from '../../src/postgres/database.ts'
import { failureOf, whyUnavailable } from '../../src/postgres/errors.ts'
import type { Appendable } from '../../src/log/append.sql.ts'
import { createAppender } from '../../src/log/appender.ts'
import { openProxy } from '../chaos/proxy.ts'
import { createDatabase } from '../support/database.ts'
import { waitUntil } from '../support/wait.ts'

function open (t: Test, url: string, options: Partial<DatabaseOptions> = {}): pg.Pool {
  const pool = openPool({ url, poolSize: 1, name: 'errors', ...options })
  t.teardown(async () => { await closePool(pool) })
  return pool
}

const caught = async (work: Promise<unknown>): Promise<unknown> => await work.then(() => undefined, (error: unknown) => error)

test('the text of an error says nothing about the database', t => {
  for (const text of ['the connection between the two cards is missing', 'timeout exceeded', 'Connection terminated', 'Client was closed and is not queryable']) {
    t.equal(failureOf(new Error(text)), 'defect', text)
    t.match(explain(new Error(text)), { code: 'failed', message: text })
  }
  t.end()
})

test('a pool without a free connection is exhausted, not the database unavailable', async t => {
  const { url } = await createDatabase(t)
  const pool = open(t, url)
  const taken = await pool.connect()
  const appender = createAppender(databaseOf(pool), { queueLimit: 1 })
  const [appended, ...errors] = await Promise.all([
    caught(appender.append({ shard: 0, body: '{}' } as Appendable)), caught(pool.query('select 1')), caught(sql`select 1`.execute(databaseOf(pool)))
  ])
  taken.release()
  t.match(appended, { name: 'AppendRefused', code: 'busy', message: /all database connections.*DATABASE_POOL_SIZE/ })
  for (const error of errors) {
    t.match(error, { code: 'CONNECTIONS_EXHAUSTED' })
    t.equal(failureOf(error), 'unavailable')
    t.equal(whyUnavailable(error), 'exhausted')
  }
})

test('a statement that the server ended at its time limit is not the database unavailable either', async t => {
  const { url } = await createDatabase(t)
  const error = await caught(open(t, url, { settings: { statement_timeout: '50' } }).query('select pg_sleep(10)'))
  t.equal(failureOf(error), 'unavailable')
  t.equal(whyUnavailable(error), 'timeout')
})

test('connections that are lost, that do not come about, or whose pool was closed', async t => {
  const { url } = await createDatabase(t)
  const proxy = await openProxy(t, url)
  const pool = open(t, proxy.url)
  for (const work of [async () => await pool.query('select pg_sleep(10)'), async () => await sql`select pg_sleep(10)`.execute(databaseOf(pool))]) {
    const lost = caught(work())
    await waitUntil(() => proxy.links().some(({ requests }) => requests >= 2))
    for (const link of proxy.links()) link.cut()
    const error = await lost
    await waitUntil(() => proxy.links().length === 0)
    t.match(error, { code: /^(CONNECTION_LOST|ECONNRESET)$/ })
    t.equal(failureOf(error), 'unavailable')
    t.equal(whyUnavailable(error), 'unreachable')
  }
  await closePool(pool)
  t.match(await caught(pool.query('select 1')), { code: 'POOL_CLOSED' })

  // It accepts, and says nothing.
  const silent = createServer(() => {}).listen(0, '127.0.0.1')
  t.teardown(() => { silent.close() })
  await once(silent, 'listening')
  const mute = open(t, `postgres://127.0.0.1:${(silent.address() as AddressInfo).port}/none`)
  const error = await caught(mute.query('select 1'))
  t.match(error, { code: 'CONNECT_TIMEOUT' })
  t.equal(failureOf(error), 'unavailable')
})

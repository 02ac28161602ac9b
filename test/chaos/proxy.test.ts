import pg from 'pg'
import { test, type Test } from 'tap'
import { createDatabase } from '../support/database.ts'
import { waitUntil } from '../support/wait.ts'
import { openProxy } from './proxy.ts'

async function open (t: Test, connectionString: string, application_name: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString, application_name })
  client.on('error', () => {})
  await client.connect()
  t.teardown(async () => { await client.end().catch(() => {}) })
  return client
}

test('a proxy passes on what is said, and knows who says it', async t => {
  const { url } = await createDatabase(t)
  const proxy = await openProxy(t, url)
  const named: string[] = []
  proxy.onLink(link => { named.push(link.name) })
  const one = await open(t, proxy.url, 'one')
  const other = await open(t, proxy.url, 'other')
  const long = 'x'.repeat(300_000)
  t.same((await one.query('select $1::text as long', [long])).rows, [{ long }])
  await other.query('select 1; select 2')
  await t.rejects(other.query('select nothing'), { code: '42703' })
  t.same(named, ['one', 'other'])
  t.equal(proxy.requests(/^one$/), 1, 'a statement with parameters is several messages and one request')
  t.equal(proxy.requests(), 3)
  await one.end()
  await waitUntil(() => proxy.links().length === 1)
})

test('stalled, resumed, cut and dead', async t => {
  const { url, pool } = await createDatabase(t)
  const proxy = await openProxy(t, url)
  const client = await open(t, proxy.url, 'stalled')
  const [link] = proxy.links(/stalled/)
  link?.stall()
  const others = async (): Promise<void> => { for (let n = 0; n < 20; n++) await (await open(t, proxy.url, 'other')).end() }
  let answered = false
  const answer = client.query('select 1 as n').then(({ rows }) => {
    answered = true
    return rows as unknown
  })
  await others()
  t.equal(answered, false)
  link?.resume()
  t.same(await answer, [{ n: 1 }])

  link?.cut()
  await t.rejects(client.query('select 1'))
  const backends = async (name: string): Promise<number> => (await pool.query('select from pg_stat_activity where application_name = $1', [name])).rowCount ?? 0
  await waitUntil(async () => await backends('stalled') === 0, { what: 'the server to learn of the cut' })

  const lost = await open(t, proxy.url, 'lost')
  proxy.links(/lost/)[0]?.die()
  const vain = lost.query('select 1')
  vain.catch(() => {})
  ;(lost as unknown as { connection: { stream: { destroy: () => void } } }).connection.stream.destroy()
  await t.rejects(vain)
  await others()
  t.equal(await backends('lost'), 1, 'the server does not learn that the client hung up')
  t.same(proxy.links(/lost/), [])
})

test('cut before a request or after it, to the request', async t => {
  const { url, pool } = await createDatabase(t)
  await pool.query('create table marks (n int)')
  const proxy = await openProxy(t, url)
  const insert = async (client: pg.Client): Promise<void> => {
    await client.query('begin')
    await client.query('insert into marks values ($1)', [1])
    await client.query('commit')
  }
  const marks = async (): Promise<number> => (await pool.query('select from marks')).rowCount ?? 0
  for (const [n, when, kept] of [[2, 'after', 0], [3, 'before', 0], [3, 'after', 1]] as const) {
    const client = await open(t, proxy.url, `cut ${when} ${n}`)
    const cutting = proxy.cutAt(n, when, { of: /^cut/ })
    await t.rejects(insert(client))
    await cutting.done
    await waitUntil(async () => (await pool.query("select from pg_stat_activity where application_name like 'cut%'")).rowCount === 0)
    t.equal(await marks(), kept, `${when} request ${n}`)
  }
  const client = await open(t, proxy.url, 'asked')
  let seen: number | undefined
  const cutting = proxy.cutAt(3, 'after', { of: /asked/, act: async () => { seen = await marks() } })
  await insert(client)
  t.equal(seen, 2, 'whoever acts meanwhile sees what the server has done')
  t.equal(cutting.hasActed(), true)
  const statements: string[] = []
  const inserting = proxy.cutAt(1, 'before', { statement: /insert into/, act: link => { statements.push(link.name) } })
  await insert(client)
  await inserting.done
  t.same(statements, ['asked'])
  const idle = proxy.cutAt(1, 'before', { of: /asked/ })
  idle.forget()
  await insert(client)
  t.equal(idle.hasActed(), false)
})

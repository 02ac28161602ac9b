import { test } from 'tap'
import { sign, SIGNATURE_HEADER } from '../../src/providers/voucherify/wire/signature.ts'
import { serve } from '../support/cli.ts'
import { createDatabase } from '../support/database.ts'
import { awardData } from '../support/deliveries.ts'
import { waitUntil } from '../support/wait.ts'
import { openProxy } from './proxy.ts'

test('while the database is silent the API answers 503 in time, never 2xx, and recovers by itself', async t => {
  const { url, pool } = await createDatabase(t)
  const proxy = await openProxy(t, url)
  const server = await serve(t, ['--only', 'api'], { DATABASE_URL: proxy.url, DATABASE_TIMEOUT_MS: '1500', WEBHOOK_SECRETS: 'secret', DATA_DIR: t.testdir() })
  const stored = async (): Promise<number | null> => (await pool.query('select from ledger.events')).rowCount
  let rule = 0
  async function post (body: string = JSON.stringify(awardData({ rule: `ern_${++rule}`, card: `v_${rule}`, customer: `cust_${rule}` }))): Promise<{ status: number, took_ms: number, retry_after: string | null }> {
    const began = performance.now()
    const { status, headers } = await fetch(`${server.url}/webhooks/voucherify`, { method: 'POST', headers: { 'content-type': 'application/json', [SIGNATURE_HEADER]: sign(body, 'secret') }, body })
    return { status, took_ms: performance.now() - began, retry_after: headers.get('retry-after') }
  }
  t.equal((await post()).status, 202)

  // Those that are open, and all that are made meanwhile: first they hang, then they vanish.
  for (const what of ['stall', 'die'] as const) {
    for (const link of proxy.links()) link[what]()
    const open = proxy.onLink(link => { link[what]() })
    const before = await stored()
    const answers = await Promise.all([...Array.from({ length: 30 }, () => post()), ...Array.from({ length: 5 }, (_, n) => post(`not json ${what} ${n}`))])
    for (const { status, took_ms, retry_after } of answers) {
      t.equal(status, 503)
      t.equal(retry_after, '5')
      t.ok(took_ms < 10_000, `${what}: answered within the time the provider waits: ${took_ms} ms`)
    }
    const read = await fetch(`${server.url}/v1/customers`)
    t.equal(read.status, 503, 'reads, too')
    t.equal(await stored(), before)
    open()
    for (const link of proxy.links()) link.resume()
    await waitUntil(async () => (await post()).status === 202, { timeout_ms: 30_000, what: 'the API to recover' })
    await waitUntil(async () => (await fetch(`${server.url}/v1/customers`)).status === 200)
  }
})

test('a worker process that is paused in the middle of a step is overtaken by another; resumed, it commits nothing, and works on', async t => {
  const { url, pool } = await createDatabase(t)
  const proxy = await openProxy(t, url)
  const environment = { DATABASE_TIMEOUT_MS: '1500', WEBHOOK_SECRETS: 'secret', DATA_DIR: t.testdir() }
  const api = await serve(t, ['--only', 'api'], { ...environment, DATABASE_URL: url })
  const paused = await serve(t, ['--only', 'worker'], { ...environment, DATABASE_URL: proxy.url })
  const award = async (rule: string): Promise<void> => {
    const body = JSON.stringify(awardData({ rule, points: 10 }))
    const { status } = await fetch(`${api.url}/webhooks/voucherify`, { method: 'POST', headers: { 'content-type': 'application/json', [SIGNATURE_HEADER]: sign(body, 'secret') }, body })
    t.equal(status, 202)
  }
  const earned = async (): Promise<number | undefined> => ((await (await fetch(`${api.url}/v1/cards/v_1`)).json()) as { earned?: number }).earned

  // In the middle of a step: rows of the card are written, and more is to come.
  const pausing = proxy.cutAt(1, 'after', { of: /worker/, statement: /insert into .*movement_observations/i, act: () => { paused.process.kill('SIGSTOP') } })
  await award('ern_1')
  await pausing.done
  t.equal(await earned(), undefined, 'nothing is committed yet')

  const other = await serve(t, ['--only', 'worker'], { ...environment, DATABASE_URL: url })
  await waitUntil(async () => await earned() === 10, { timeout_ms: 30_000, what: 'the other worker to overtake' })
  paused.process.kill('SIGCONT')
  await waitUntil(() => paused.said().includes('a projection step failed'), { what: 'the paused one to learn of it' })
  other.process.kill('SIGKILL')
  await other.finished
  await award('ern_2')
  await waitUntil(async () => await earned() === 20, { what: 'it to go on alone' })
  const { rows } = await pool.query('select points::int from projection.statement_lines order by movement_id')
  t.same(rows, [{ points: 10 }, { points: 10 }])
})

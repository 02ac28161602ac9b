import { existsSync, readFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test } from 'tap'
import { sign, SIGNATURE_HEADER } from '../../src/providers/voucherify/wire/signature.ts'
import { run, runProcess, serve, start } from '../support/cli.ts'
import { createDatabase } from '../support/database.ts'
import { awardData } from '../support/deliveries.ts'
import { waitUntil } from '../support/wait.ts'

interface Card { earned: number, balance: number }

async function post (url: string, body: object, secret: string): Promise<{ status: number, position: string }> {
  const bytes = JSON.stringify(body)
  const response = await fetch(`${url}/webhooks/voucherify`, { method: 'POST', headers: { 'content-type': 'application/json', [SIGNATURE_HEADER]: sign(bytes, secret) }, body: bytes })
  const { position } = await response.json() as { position: string }
  return { status: response.status, position }
}

test('a newcomer: nothing configured, first balance, kill -9 of everything, and it goes on', async t => {
  const dataDir = t.testdir()
  const environment = { DATA_DIR: dataDir }
  const first = await serve(t, [], environment)
  t.match(first.said(), /Protected mode/)
  const port = new URL(first.url).port
  const demo = await runProcess(t, ['demo', '--json'], { ...environment, PORT: port })
  t.equal(demo.code, 0, demo.stderr)
  const steps = (JSON.parse(demo.stdout) as { steps: Array<{ status: number, answer: { status?: string, balance?: number } }> }).steps
  t.same(steps.slice(0, 4).map(step => step.answer.status), ['accepted', 'duplicate', 'accepted', 'duplicate'])
  t.ok(steps.some(step => step.answer.balance === 900))

  const secret = readFileSync(join(dataDir, 'webhook.secret'), 'utf8').trim()
  const { position } = await post(first.url, awardData({ points: 7, balance: 7 }), secret)
  first.process.kill('SIGKILL')
  await first.finished

  const second = await serve(t, [], environment)
  const kept = await (await fetch(`${second.url}/v1/cards/v_1?min_position=${position}&wait_ms=10000`)).json() as Card
  t.match(kept, { earned: 7, balance: 7 }, 'after kill -9 of the server')

  const { position: next } = await post(second.url, awardData({ rule: 'ern_2', points: 1, balance: 8 }), secret)
  const { position: alone } = await post(second.url, awardData({ card: 'v_2', points: 3, balance: 3 }), secret)
  const place = existsSync(join(dataDir, 'postgres.location')) ? readFileSync(join(dataDir, 'postgres.location'), 'utf8').trim() : join(dataDir, 'postgres')
  const postmaster = Number(readFileSync(join(place, 'postmaster.pid'), 'utf8').split('\n', 1)[0])
  process.kill(postmaster, 'SIGKILL')
  await waitUntil(async () => (await fetch(`${second.url}/readyz`)).status === 503, { what: 'the server to notice' })
  await waitUntil(async () => (await fetch(`${second.url}/readyz`)).status === 200, { timeout_ms: 60_000, what: 'PostgreSQL to be started again under the running server' })
  t.match(await (await fetch(`${second.url}/v1/cards/v_2?min_position=${alone}&wait_ms=10000`)).json(), { balance: 3 }, 'after kill -9 of PostgreSQL alone')

  process.kill(Number(readFileSync(join(place, 'postmaster.pid'), 'utf8').split('\n', 1)[0]), 'SIGKILL')
  second.process.kill('SIGKILL')
  await second.finished

  const third = await serve(t, [], environment)
  t.match(await (await fetch(`${third.url}/v1/cards/v_1?min_position=${next}&wait_ms=10000`)).json(), { earned: 8, balance: 8 }, 'after kill -9 of PostgreSQL too')
  third.process.kill('SIGINT')
  const stopped = await third.finished
  t.equal(stopped.code, 0, 'Ctrl-C is a clean end')
  t.match(stopped.stderr, /Stopped\. What was acknowledged is stored/)
  t.notOk(existsSync(join(place, 'postmaster.pid')), 'and PostgreSQL is down')
})

test('kill -9 under load: every 2xx is stored, and the balances are right without any repair', async t => {
  const { url: DATABASE_URL, pool } = await createDatabase(t)
  const environment = { DATABASE_URL, WEBHOOK_SECRETS: 'secret', DATA_DIR: t.testdir() }
  const acknowledged = new Map<string, number>()
  for (let round = 0; round < 3; round++) {
    const server = await serve(t, [], environment)
    let sent = 0
    const senders = Array.from({ length: 8 }, async (_, sender) => {
      for (;;) {
        const key = `${round}-${sender}-${sent++}`
        const points = 1 + sent % 9
        const answer = await post(server.url, awardData({ customer: `cust_${sender}`, card: `v_${sender}`, rule: `ern_${key}`, points }), 'secret').catch(() => undefined)
        if (answer === undefined) return
        if (answer.status < 300) acknowledged.set(`award:ern_${key}:v_${sender}`, points)
      }
    })
    const enough = acknowledged.size + 150
    await waitUntil(() => acknowledged.size >= enough, { timeout_ms: 30_000, what: 'some acknowledged deliveries' })
    server.process.kill('SIGKILL')
    await Promise.all([server.finished, ...senders])
  }
  const { rows } = await pool.query<{ subject: string }>('select subject from ledger.events')
  const stored = new Set(rows.map(({ subject }) => subject))
  t.same([...acknowledged.keys()].filter(subject => !stored.has(subject)), [], 'nothing acknowledged is missing')

  const { url } = await serve(t, [], environment)
  const { rowCount: holes } = await pool.query(`
    select from ledger.shards s
    left join (select shard, count(*), max(position) from ledger.events group by shard) e using (shard)
    where s.head <> coalesce(e.count, 0) or s.head <> coalesce(e.max, 0)`)
  t.equal(holes, 0)
  for (let sender = 0; sender < 8; sender++) {
    const { rows: [observed] } = await pool.query<{ points: number }>("select sum((body -> 'balance' ->> 'points')::int)::int as points from ledger.events where customer_id = $1", [`cust_${sender}`])
    await waitUntil(async () => (await (await fetch(`${url}/v1/cards/v_${sender}`)).json() as Card).earned === observed?.points, { what: `card v_${sender} to reach ${observed?.points}` })
  }
})

test('API and worker apart, and the API alone acknowledges without a worker', async t => {
  const { url: DATABASE_URL } = await createDatabase(t)
  const environment = { DATABASE_URL, WEBHOOK_SECRETS: 'secret', DATA_DIR: t.testdir() }
  const api = await serve(t, ['--only', 'api'], environment)
  const { status, position } = await post(api.url, awardData({ points: 4 }), 'secret')
  t.equal(status, 202)
  t.equal((await fetch(`${api.url}/v1/cards/v_1?min_position=${position}&wait_ms=0`)).status, 504)
  t.equal((await fetch(`${api.url}/readyz`)).status, 200)
  const worker = await serve(t, ['--only', 'worker'], environment)
  t.match(await (await fetch(`${api.url}/v1/cards/v_1?min_position=${position}&wait_ms=10000`)).json(), { balance: 4 })
  t.match(await (await fetch(`${worker.url}/readyz`)).json(), { status: 'ready', checks: { worker: { ok: true, detail: 'alive' } } })
  t.equal((await fetch(`${worker.url}/v1/cards/v_1`)).status, 404, 'a worker serves no reads')
  for (const { process: child, finished } of [api, worker]) {
    child.kill('SIGTERM')
    t.equal((await finished).code, 0)
  }
})

test('deliveries, the worker and reads have connections of their own, and in all there are no more than allowed', async t => {
  const { url: DATABASE_URL, pool } = await createDatabase(t)
  const opened = async (): Promise<Record<string, number>> => {
    const { rows } = await pool.query<{ name: string, count: number }>(
      "select application_name as name, count(*)::integer as count from pg_stat_activity where datname = current_database() and application_name like 'loyalty-ledger %' and application_name <> 'loyalty-ledger test' group by 1")
    return Object.fromEntries(rows.map(({ name, count }) => [name, count]))
  }
  for (const size of [3, 5, 10]) {
    const server = await serve(t, [], { DATABASE_URL, WEBHOOK_SECRETS: 'secret', DATA_DIR: t.testdir(), DATABASE_POOL_SIZE: String(size) })
    const posted = await Promise.all(Array.from({ length: 40 }, async (_, index) =>
      await post(server.url, awardData({ card: `v_${size}_${index}`, customer: `cust_${size}_${index}`, trigger: `ev_${size}_${index}` }), 'secret')))
    await Promise.all(posted.map(async ({ position }, index) => {
      t.equal((await fetch(`${server.url}/v1/cards/v_${size}_${index}?min_position=${position}&wait_ms=10000`)).status, 200)
    }))
    const { 'loyalty-ledger listener': listener, ...pools } = await opened()
    t.equal(listener, 1)
    t.same(Object.keys(pools).toSorted(), ['loyalty-ledger serve', 'loyalty-ledger serve reads', 'loyalty-ledger worker'], `with ${size}`)
    t.ok(Object.values(pools).reduce((sum, count) => sum + count, 0) <= size, `${JSON.stringify(pools)} with ${size}`)
    server.process.kill('SIGTERM')
    t.equal((await server.finished).code, 0)
  }
})

test('what is wrong is said plainly, and the exit status tells', async t => {
  const { url: DATABASE_URL } = await createDatabase(t)
  const blank = await createDatabase(t, { blank: true })
  const environment = { DATABASE_URL, WEBHOOK_SECRETS: 'secret', DATA_DIR: t.testdir() }
  const other = createServer().listen(0, '127.0.0.1')
  t.teardown(() => { other.close() })
  await waitUntil(() => other.listening)
  const PORT = String((other.address() as AddressInfo).port)
  const cases: Array<[args: string[], environment: Record<string, string>, says: RegExp]> = [
    [['serve'], { ...environment, PORT }, /Port \d+ on 127\.0\.0\.1 is in use/],
    [['serve'], { ...environment, PORT: 'eighty' }, /PORT must be integer/],
    [['serve'], { ...environment, PORT: '0', LOG_LEVEL: 'loud' }, /LOG_LEVEL must be/],
    [['serve'], { ...environment, PORT: '0', HOST: '0.0.0.0' }, /there is no API key/],
    [['serve'], { ...environment, PORT: '0', HOST: '0.0.0.0', WEBHOOK_SECRETS: '' }, /WEBHOOK_SECRETS is unset and there is no API key/],
    [['serve'], { ...environment, DATABASE_URL: blank.url, PORT: '0' }, /migrate up/],
    [['serve'], { ...environment, DATABASE_URL: 'postgres://127.0.0.1:1/nothing', PORT: '0' }, /The database cannot be used: connect ECONNREFUSED 127\.0\.0\.1:1\. Does PostgreSQL run there/],
    [['keys', 'revoke', 'key_none'], environment, /No active key/],
    [['demo', '--url', 'http://127.0.0.1:1'], environment, /No ledger answers at http:\/\/127\.0\.0\.1:1/],
    [['frobnicate'], environment, /unknown command/]
  ]
  for (const [args, variables, says] of cases) {
    const began = performance.now()
    const { code, stderr } = await runProcess(t, args, variables)
    t.ok(performance.now() - began < 30_000, `${args.join(' ')}: ends at once, holding on to nothing`)
    t.equal(code, 1, args.join(' '))
    t.match(stderr, says, args.join(' '))
    t.notMatch(stderr, /\n {4}at /, `${args.join(' ')}: no stack trace`)
  }
  t.match(await run(t, ['serve', '--only', 'nothing'], environment), { code: 1, stderr: /Allowed choices are api, worker/ })
  t.match(await run(t, ['migrate', 'down', '--count', 'all'], environment), { code: 1, stderr: /A whole number above 0/ })
})

test('keys and migrations from the command line', async t => {
  const { url: DATABASE_URL } = await createDatabase(t, { blank: true })
  const environment = { DATABASE_URL, DATA_DIR: t.testdir(), SHARDS: '4' }
  const json = async (...args: string[]): Promise<Record<string, never[]>> => JSON.parse((await run(t, ['--json', ...args], environment)).stdout) as Record<string, never[]>
  t.ok(((await json('migrate', 'status')).pending ?? []).length > 2)
  const applied: string[] = (await json('migrate', 'up')).applied ?? []
  const migrations = applied.filter(name => !name.includes('/'))
  t.same(await json('migrate', 'status'), { applied: migrations, pending: [], unknown: [], replaced: [], invalid_indexes: [] })
  t.same(await json('migrate', 'up'), { applied: [] })

  const made = await json('keys', 'create', 'finance') as unknown as { key_id: string, token: string, scope: string }
  t.match(made, { key_id: /^key_/, token: /^ll_/, scope: 'read' })
  const server = await serve(t, [], { ...environment, WEBHOOK_SECRETS: 'secret' })
  t.equal((await fetch(`${server.url}/v1/customers`)).status, 401)
  t.equal((await fetch(`${server.url}/v1/customers`, { headers: { authorization: `Bearer ${made.token}` } })).status, 200)
  const list = await run(t, ['keys', 'list'], environment)
  t.match(list.stdout, new RegExp(`${made.key_id} +finance +read .* active`))
  t.notMatch(list.stdout, made.token)
  t.equal((await runProcess(t, ['keys', 'revoke', made.key_id], environment)).code, 0)

  server.process.kill('SIGTERM')
  await server.finished
  t.same((await json('migrate', 'down', '--count', String(migrations.length))).reverted, [...migrations].reverse())
  t.same(await json('migrate', 'up'), { applied }, 'up again after down')
})

test('a read that waits does not hold up an orderly stop', async t => {
  const { url: DATABASE_URL } = await createDatabase(t)
  const server = await serve(t, [], { DATABASE_URL, WEBHOOK_SECRETS: 'secret', DATA_DIR: t.testdir(), SHUTDOWN_TIMEOUT_MS: '5000' })
  const waiting = fetch(`${server.url}/v1/customers?min_position=0:999999&wait_ms=10000`).then(answer => answer.status)
  await waitUntil(async () => (await fetch(`${server.url}/livez`)).status === 200)
  server.process.kill('SIGTERM')
  t.equal((await server.finished).code, 0)
  t.equal(await waiting, 504)
})

test('a second signal ends it at once', async t => {
  const { url: DATABASE_URL, pool } = await createDatabase(t)
  const server = await serve(t, [], { DATABASE_URL, WEBHOOK_SECRETS: 'secret', DATA_DIR: t.testdir(), SHUTDOWN_TIMEOUT_MS: '60000' })
  // A locked shard keeps a delivery waiting, and the stop waits for the delivery.
  const holder = await pool.connect()
  await holder.query('begin')
  await holder.query('select from ledger.shards for update')
  const pending = post(server.url, awardData(), 'secret').catch(() => undefined)
  await waitUntil(async () => (await pool.query("select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'")).rowCount === 1)
  server.process.kill('SIGTERM')
  await waitUntil(() => server.said().includes('Stopping (SIGTERM)'))
  server.process.kill('SIGTERM')
  const { code } = await server.finished
  t.not(code, 0)
  await holder.query('rollback')
  holder.release()
  await pending
})

test('help is there without a database', async t => {
  const { code, stdout } = await start(t, ['--help']).finished
  t.equal(code, 0)
  for (const command of ['serve', 'migrate', 'keys', 'quarantine', 'demo']) t.match(stdout, command)
})

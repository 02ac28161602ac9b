import { test } from 'tap'
import { projections } from '../../src/projections/index.ts'
import { startWorker } from '../../src/engine/worker.ts'
import { createKey, revokeKey } from '../../src/access/api-keys.sql.ts'
import { databaseOf } from '../../src/postgres/database.ts'
import { awardData, enveloped, orderData } from '../support/deliveries.ts'
import { openLedger, type TestLedger } from '../support/ledger.ts'
import { waitUntil } from '../support/wait.ts'

async function walk (ledger: TestLedger, path: string, limit: number): Promise<unknown[]> {
  const items: unknown[] = []
  const mark = path.includes('?') ? '&' : '?'
  for (let cursor: string | null = ''; cursor !== null;) {
    const answer = await ledger.get(`${path}${mark}limit=${limit}${cursor === '' ? '' : `&cursor=${cursor}`}`)
    if (answer.statusCode !== 200) throw new Error(answer.body)
    const page: { items: unknown[], next_cursor: string | null } = answer.json()
    if (page.items.length > limit) throw new Error('a page is longer than its limit')
    items.push(...page.items)
    cursor = page.next_cursor
  }
  return items
}

test('a statement: newest first, running balance, unexplained lines in place', async t => {
  const ledger = await openLedger(t)
  await ledger.post(awardData({ rule: 'ern_1', points: 10, balance: 110, at: '2026-01-01T00:00:00Z' }))
  await ledger.post(awardData({ rule: 'ern_3', points: 5, balance: 85, at: '2026-01-03T00:00:00Z' }))
  await ledger.post(awardData({ rule: 'ern_4', points: 1, at: '2026-01-04T00:00:00Z' }))
  await ledger.project()
  const statement = (await ledger.get('/v1/cards/v_1/statement')).json()
  t.match(statement.items, [
    { kind: 'accrual', points: 1, balance: 86, reported_balance: null, earning_rule_id: 'ern_4' },
    { kind: 'accrual', points: 5, balance: 85, reported_balance: 85, earning_rule_id: 'ern_3' },
    { kind: 'unexplained', points: -30, balance: 80, reported_balance: 80, occurred_at: '2026-01-03T00:00:00.000000Z', movement_id: 'unexplained:award:evcus_1:ern_3:v_1' },
    { kind: 'accrual', points: 10, balance: 110, reported_balance: 110, earning_rule_id: 'ern_1' }
  ])
  t.match((await ledger.get('/v1/cards/CODE-v_1')).json(), { card_id: 'v_1', customer_id: 'cust_1', opening: 100, earned: 16, unexplained: -30, balance: 86, movements: 3 })

  // The missing movement arrives late: its unexplained line shrinks by itself.
  await ledger.post(awardData({ rule: 'ern_2', points: 20, balance: 130, at: '2026-01-02T00:00:00Z' }))
  await ledger.project()
  t.match((await ledger.get('/v1/cards/v_1')).json(), { opening: 100, earned: 36, unexplained: -50, balance: 86, movements: 4 })
  t.match((await ledger.get('/v1/customers/cust_1/statement')).json().items.map((line: { card_id: string, points: number }) => [line.card_id, line.points]),
    [['v_1', 1], ['v_1', 5], ['v_1', -50], ['v_1', 20], ['v_1', 10]])
})

test('balances that are asked for at the same time are each of its own customer', async t => {
  const ledger = await openLedger(t)
  for (let index = 0; index < 30; index++) {
    await ledger.post(awardData({ customer: `cust_${index}`, card: `v_${index}`, rule: `ern_${index}`, points: index, balance: 100 + index }))
  }
  await ledger.post(awardData({ customer: 'cust_7', card: 'v_second', rule: 'ern_x', points: 1, balance: 1000 }))
  await ledger.project()
  const asked = Array.from({ length: 120 }, (_, index) => index % 40)
  const answers = await Promise.all(asked.map(async number => await ledger.get(`/v1/customers/cust_${number}/balance`)))
  for (const [index, number] of asked.entries()) {
    const answer = answers[index]
    if (number >= 30) {
      t.equal(answer?.statusCode, 404)
      continue
    }
    const cards = number === 7 ? [107, 1000] : [100 + number]
    const balance = answer?.json()
    t.match(balance, { customer_id: `cust_${number}`, balance: cards.reduce((a, b) => a + b), position: /^\d+:[1-9]\d*$/ })
    t.strictSame(balance.cards.map((card: { balance: number }) => card.balance).sort((a: number, b: number) => a - b), cards)
  }
})

test('every sum ties on every answer, and pages cover a list once in order', async t => {
  const ledger = await openLedger(t)
  for (let index = 0; index < 23; index++) {
    await ledger.post(awardData({ card: `v_${index % 3}`, rule: `ern_${index}`, points: index, balance: 1000 + index * 3, at: `2026-01-01T00:00:0${index % 4}Z` }))
    await ledger.post(orderData({ id: `ord_${index}`, createdAt: `2026-01-0${1 + index % 3}T00:00:00Z`, updatedAt: '2026-01-09T00:00:00Z', status: index % 2 === 0 ? 'PAID' : 'CREATED' }))
    await ledger.post(orderData({ id: `ord_x${index}`, customer: `cust_${index + 2}`, status: 'PAID', updatedAt: '2026-01-02T00:00:00Z' }))
  }
  await ledger.project()
  const balance = (await ledger.get('/v1/customers/cust_1/balance')).json()
  t.equal(balance.cards.length, 3)
  for (const card of [...balance.cards, (await ledger.get('/v1/cards/v_2')).json()]) {
    const sum = (...fields: string[]): number => fields.reduce((total, field) => total + Number(card[field]), 0)
    t.equal(card.balance, sum('opening', 'earned', 'refunded', 'adjusted', 'transferred', 'unexplained') - sum('spent', 'expired'))
  }
  t.equal(balance.balance, balance.cards.reduce((sum: number, card: { balance: number }) => sum + card.balance, 0))
  t.match((await ledger.get('/v1/customers/cust_1')).json(), { totals: { balance: balance.balance, unexplained: balance.unexplained, cards: 3, orders: 23 } })

  for (const path of ['/v1/customers', '/v1/customers/cust_1/statement', '/v1/customers/cust_1/orders', '/v1/customers/cust_1/orders?status=PAID', '/v1/cards/v_1/statement', '/v1/events', '/v1/events?shard=0']) {
    const whole = await walk(ledger, path, 500)
    t.ok(whole.length > 4, `${path} has something to page`)
    for (const limit of [1, 4]) t.same(await walk(ledger, path, limit), whole, `${path} by ${limit}`)
  }
  const lines = await walk(ledger, '/v1/customers/cust_1/statement', 7) as Array<{ occurred_at: string }>
  t.same(lines.map(line => line.occurred_at), lines.map(line => line.occurred_at).sort().reverse(), 'newest first')
})

test('an order with every state it was observed in, and the newest as the order', async t => {
  const ledger = await openLedger(t)
  const states = [['PAID', '2026-01-02T00:00:00.5Z'], ['CREATED', '2026-01-01T00:00:00Z'], ['FULFILLED', '2026-01-02T00:00:00.500Z'], ['CANCELED', '2026-01-01T23:00:00Z']] as const
  for (const [status, updatedAt] of states) await ledger.post(orderData({ id: 'ord_1', status, updatedAt }))
  const award = { ...awardData(), order: { id: 'ord_1', status: 'CREATED', amount: 5, updated_at: '2025-12-31T00:00:00Z' } }
  await ledger.post(award)
  await ledger.project()
  const order = (await ledger.get('/v1/orders/ord_1')).json()
  t.match(order, { order_id: 'ord_1', status: 'FULFILLED', updated_at: '2026-01-02T00:00:00.500000Z', customer_id: 'cust_1' })
  t.same(order.states.map((state: { status: string }) => state.status), ['CREATED', 'CREATED', 'CANCELED', 'PAID', 'FULFILLED'])
  t.match(order.states[0], { amount: 5, event_id: 'evcus_1', subject: 'award:ern_1:v_1' }, 'an order inside a reward counts as an observation')
})

test('a read waits for its own write, and says when it cannot', async t => {
  const ledger = await openLedger(t)
  const { position } = (await ledger.post(awardData({ points: 3 }))).json()
  const late = await ledger.get(`/v1/customers/cust_1/balance?min_position=${position}&wait_ms=1`)
  t.equal(late.statusCode, 504)
  t.match(late.json(), { code: 'projection_behind', status: 504 })
  const waiting = ledger.get(`/v1/customers/cust_1/balance?min_position=${position}&wait_ms=10000`)
  const worker = startWorker(ledger.steps, { projections, batch: 10 })
  t.teardown(() => worker.stop())
  t.match((await waiting).json(), { balance: 3, position })
})

test('malformed reads are 400, unknown keys 404, and never a 500', async t => {
  const ledger = await openLedger(t)
  await ledger.post(awardData())
  await ledger.project()
  const long = 'x'.repeat(900)
  const cases: Array<[path: string, status: number, code: string]> = [
    ['/v1/customers/nobody', 404, 'customer_not_found'],
    ['/v1/customers/nobody/balance', 404, 'customer_not_found'],
    ['/v1/customers/nobody/orders', 404, 'customer_not_found'],
    ['/v1/customers/nobody/statement', 404, 'customer_not_found'],
    ['/v1/orders/nothing', 404, 'order_not_found'],
    ['/v1/cards/nothing', 404, 'card_not_found'],
    ['/v1/cards/nothing/statement', 404, 'card_not_found'],
    ['/v1/events/nothing', 404, 'event_not_found'],
    ['/v1/nothing', 404, 'route_not_found'],
    [`/v1/customers/${long}`, 404, 'customer_not_found'],
    ['/v1/customers/%00', 404, 'customer_not_found'],
    ['/v1/cards/a%00b/statement', 404, 'card_not_found'],
    ['/v1/events/%00', 404, 'event_not_found'],
    ['/v1/customers/%ff', 400, 'url_malformed'],
    ['/v1/customers/%E0%A4%A', 400, 'url_malformed'],
    ['/v1/customers?cursor=rubbish', 400, 'cursor_invalid'],
    [`/v1/customers?cursor=${Buffer.from('[1]').toString('base64url')}`, 400, 'cursor_invalid'],
    [`/v1/cards/v_1/statement?cursor=${Buffer.from('["yesterday",1]').toString('base64url')}`, 400, 'cursor_invalid'],
    [`/v1/cards/v_1/statement?cursor=${Buffer.from('["2026-01-01T00:00:00.000000Z",99999999999]').toString('base64url')}`, 400, 'cursor_invalid'],
    [`/v1/events?cursor=${Buffer.from('[99999,"1"]').toString('base64url')}`, 400, 'cursor_invalid'],
    ['/v1/customers?limit=0', 400, 'request_invalid'],
    ['/v1/events/ev_1?shard=5', 400, 'request_invalid'],
    ['/v1/customers?limit=many', 400, 'request_invalid'],
    ['/v1/customers?sorce_id=typo', 400, 'request_invalid'],
    ['/v1/customers/cust_1/orders?status=LOST', 400, 'request_invalid'],
    ['/v1/customers/cust_1/balance?min_position=7', 400, 'request_invalid'],
    ['/v1/customers/cust_1/balance?min_position=99:1', 400, 'position_invalid'],
    ['/v1/customers/cust_1/balance?min_position=1:1&wait_ms=60000', 400, 'request_invalid'],
    ['/v1/events?shard=-1', 400, 'request_invalid']
  ]
  for (const [path, status, code] of cases) {
    const answer = await ledger.get(path)
    t.equal(answer.statusCode, status, path)
    t.match(answer.json(), { type: `urn:loyalty-ledger:problem:${code}`, status, code }, path)
    t.match(answer.headers['content-type'], 'application/problem+json')
  }
  t.equal((await ledger.get('/v1/customers?limit=100000')).statusCode, 200, 'limits are capped')
  t.same((await ledger.get('/v1/customers?source_id=%00')).json(), { items: [], next_cursor: null })
})

test('a cursor of one list is refused by every other', async t => {
  const ledger = await openLedger(t)
  for (const [customer, card] of [['cust_1', 'v_1'], ['cust_2', 'v_2']] as const) {
    for (const n of [1, 2, 3]) {
      await ledger.post(awardData({ customer, card, trigger: `ev_${card}_${n}`, rule: `r${n}`, points: n }))
      await ledger.post(orderData({ customer, id: `ord_${card}_${n}`, createdAt: `2026-01-0${n}T00:00:00.000Z` }))
    }
  }
  await ledger.project()
  const lists = [
    '/v1/customers?', '/v1/customers/cust_1/statement?', '/v1/customers/cust_2/statement?', '/v1/customers/cust_1/orders?', '/v1/customers/cust_1/orders?status=PAID&',
    '/v1/cards/v_1/statement?', '/v1/cards/v_2/statement?', '/v1/cards/v_1/explain?', '/v1/events?'
  ]
  for (const list of lists) {
    const { next_cursor } = (await ledger.get(`${list}limit=1`)).json()
    t.match(next_cursor, /^[\w-]+$/, list)
    for (const other of lists) {
      const answer = await ledger.get(`${other}limit=1&cursor=${next_cursor}`)
      if (other === list) t.equal(answer.statusCode, 200, `${list} continues`)
      else t.match(answer.json(), { status: 400, code: 'cursor_invalid', detail: /does not belong to this list/ }, `${list} and ${other}`)
    }
  }
})

test('who may enter', async t => {
  const ledger = await openLedger(t)
  await ledger.post(awardData())
  await ledger.project()
  const owner = databaseOf(ledger.owner)

  t.equal((await ledger.get('/v1/customers')).statusCode, 200, 'protected mode: this machine may read')
  for (const headers of [{ host: 'ledger.example' }, { 'x-forwarded-for': '203.0.113.9' }, { forwarded: 'for=203.0.113.9' }] as Array<Record<string, string>>) {
    t.match((await ledger.get('/v1/customers', headers)).json(), { status: 403, code: 'protected_mode' }, JSON.stringify(headers))
  }
  const far = await ledger.app.inject({ url: '/v1/customers', headers: { host: 'localhost' }, remoteAddress: '203.0.113.9' })
  t.match(far.json(), { status: 403, code: 'protected_mode' }, 'another machine')
  t.match((await ledger.get('/v1/customers', { authorization: 'Bearer ll_made_up' })).json(), { status: 401, code: 'key_unknown' })

  const reader = await createKey(owner, 'support', 'read')
  const operator = await createKey(owner, 'on call', 'operate')
  await waitUntil(async () => (await ledger.get('/v1/customers')).statusCode === 401, { what: 'the first key to end protected mode' })
  t.match((await ledger.get('/v1/customers')).headers['www-authenticate'], 'Bearer')
  const as = (token: string, scheme = 'Bearer'): Record<string, string> => ({ authorization: `${scheme} ${token}`, host: 'ledger.example' })
  t.equal((await ledger.get('/v1/customers', as(reader.token))).statusCode, 200)
  t.equal((await ledger.get('/v1/customers', as(reader.token, 'bearer'))).statusCode, 200)
  t.match((await ledger.get('/v1/events', as(reader.token))).json(), { status: 403, code: 'scope_insufficient' })
  t.equal((await ledger.get('/v1/events', as(operator.token))).statusCode, 200)
  t.equal((await ledger.get('/v1/customers', as(operator.token))).statusCode, 200)
  t.equal((await ledger.get('/v1/customers', as(reader.token.slice(0, -1)))).statusCode, 401)
  t.equal((await ledger.get('/v1/customers', as(reader.token, 'Basic'))).statusCode, 401)
  const { rows } = await ledger.owner.query('select api_keys::text as row from ledger.api_keys')
  t.notOk(rows.some(({ row }) => row.includes(reader.token) || row.includes(Buffer.from(reader.token).toString('hex'))), 'only digests are stored')

  t.equal(await revokeKey(owner, reader.key_id), true)
  t.equal(await revokeKey(owner, operator.key_id), true)
  t.equal(await revokeKey(owner, operator.key_id), false)
  await waitUntil(async () => (await ledger.get('/v1/customers', as(reader.token))).statusCode === 401, { what: 'the revocation' })
  t.match((await ledger.get('/v1/customers')).json(), { code: 'key_missing' }, 'revoking the last key does not open the door')
  t.equal((await ledger.get('/livez', { host: 'anything' })).statusCode, 200, 'health needs no key')
  t.equal((await ledger.post(awardData({ rule: 'ern_2' }))).statusCode, 202, 'nor do deliveries: they are signed')
})

test('the log, for operators', async t => {
  const ledger = await openLedger(t)
  const body = JSON.stringify(enveloped(awardData()), null, 1)
  await ledger.post(body)
  await ledger.post(enveloped(awardData({ rule: 'ern_2' })))
  const { items } = (await ledger.get('/v1/events/ev_1')).json()
  t.equal(items.length, 2, 'two facts share the event id')
  t.same((await walk(ledger, '/v1/events/ev_1', 1)).length, 2)
  t.equal(items[0].body_text, body, 'exactly as received')
  t.match(items[0], { subject: 'award:ern_1:v_1', type: 'customer.rewarded.loyalty_points', send_out_id: 'whs_1', sender_kind: 'webhook', sender_id: 'wh_1', group_id: 'v-1', project_id: 'proj_1', channel: 'API', customer_id: 'cust_1', test: false, occurred_at: '2026-01-01T10:00:01.000000Z' })
  t.match((await ledger.get('/v1/events')).json().items[0].chain, /^[0-9a-f]{64}$/)
})

test('the description of the API is OpenAPI 3.1, complete, and readable offline', async t => {
  const ledger = await openLedger(t)
  const answer = await ledger.get('/openapi.json')
  const document = answer.json()
  t.equal(document.openapi, '3.1.0')
  const operations = Object.entries(document.paths as Record<string, Record<string, { operationId: string, responses: Record<string, { content?: Record<string, { schema: unknown }> }> }>>)
    .flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ path, method, operation })))
  t.same(operations.map(({ path }) => path).sort(), [
    '/livez', '/readyz', '/v1/cards/{card}', '/v1/cards/{card}/expirations', '/v1/cards/{card}/explain', '/v1/cards/{card}/statement', '/v1/customers', '/v1/customers/{customer_id}', '/v1/customers/{customer_id}/balance',
    '/v1/customers/{customer_id}/orders', '/v1/customers/{customer_id}/statement', '/v1/events', '/v1/events/{event_id}', '/v1/orders/{order_id}',
    '/v1/quarantine', '/v1/quarantine/{quarantine_id}', '/v1/quarantine/{quarantine_id}/discard', '/v1/quarantine/{quarantine_id}/redrive', '/v1/reconciliations', '/v1/status',
    '/webhooks/voucherify'
  ])
  for (const { path, method, operation } of operations) {
    t.ok(operation.operationId, `${method} ${path} has an operationId`)
    for (const [status, response] of Object.entries(operation.responses)) {
      t.ok(Object.values(response.content ?? {}).every(({ schema }) => schema !== undefined), `${method} ${path} ${status} has a schema`)
      if (Number(status) >= 400 && path !== '/readyz') t.same(Object.keys(response.content ?? {}), ['application/problem+json'])
    }
  }
  t.notMatch(answer.body, '"nullable"')
  const guarded = operations.filter(({ operation }) => (operation as { security?: unknown[] }).security !== undefined).map(({ path }) => path)
  t.ok(guarded.length > 8 && guarded.every(path => path.startsWith('/v1/')), 'reads ask for the key')
  t.ok(document.paths['/webhooks/voucherify'].post.requestBody, 'a delivery can be tried out')
  t.match(document.paths['/v1/customers'].get.parameters, [{ name: 'source_id', required: false }, { name: 'limit', required: false }])
  t.match(document.components.schemas.Problem.properties.code.type, 'string')

  const page = await ledger.get('/docs/')
  t.equal(page.statusCode, 200)
  const assets = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(match => match[1] ?? '')
  t.ok(assets.length > 2)
  t.notMatch(page.headers['content-security-policy'], /https:|upgrade-insecure-requests/, 'readable over plain HTTP too')
  for (const asset of assets) {
    t.notMatch(asset, /^(https?:)?\/\//, `${asset} is ours`)
    t.equal((await ledger.get(new URL(asset, 'http://localhost/docs/').pathname)).statusCode, 200, asset)
  }
})

test('a read shows one state while the ledger moves: totals ordinal to cards, and cards to the checkpoint', async t => {
  const ledger = await openLedger(t, { shards: 1 })
  const worker = startWorker(ledger.steps, { projections, batch: 3 })
  t.teardown(() => worker.stop())
  const progress = { posting: true }
  const posts = (async () => {
    // Each position adds one point, on one of three cards: the checkpoint's position is the sum of what it vouches for.
    for (let index = 0; index < 150; index++) await ledger.post(awardData({ card: `v_${index % 3}`, rule: `ern_${index}`, points: 1 }))
  })().finally(() => { progress.posting = false })
  await waitUntil(async () => (await ledger.get('/v1/customers/cust_1')).statusCode === 200)
  let reads = 0
  while (progress.posting) {
    const balance = (await ledger.get('/v1/customers/cust_1/balance')).json()
    const cards: number = balance.cards.reduce((sum: number, card: { balance: number }) => sum + card.balance, 0)
    if (balance.balance !== cards || balance.position !== `0:${cards}`) t.fail(`a mixture: ${JSON.stringify(balance)}`)
    reads++
  }
  await posts
  t.ok(reads > 5, `${reads} reads while the ledger moved`)
})

test('a page goes on where the last one ended, also when a late movement pushed the lines of that moment on', async t => {
  const ledger = await openLedger(t)
  const at = '2026-01-05T00:00:00Z'
  for (const rule of ['r2', 'r3']) await ledger.post(awardData({ trigger: 'e', rule, points: 1, at }))
  await ledger.project()
  const first = (await ledger.get('/v1/cards/v_1/statement?limit=1')).json()
  const whole = (await ledger.get('/v1/customers/cust_1/statement?limit=1')).json()
  await ledger.post(awardData({ trigger: 'e', rule: 'r1', points: 1, at }))
  await ledger.project()
  for (const path of [`/v1/cards/v_1/statement?limit=5&cursor=${first.next_cursor}`, `/v1/customers/cust_1/statement?limit=5&cursor=${whole.next_cursor}`]) {
    t.same((await ledger.get(path)).json().items.map((line: { movement_id: string }) => line.movement_id), ['award:e:r2:v_1', 'award:e:r1:v_1'])
  }
})

test('sums over cards that no int8 could hold are still exact', async t => {
  const ledger = await openLedger(t)
  await ledger.post(awardData({ points: 1, balance: 1 }))
  await ledger.project()
  await ledger.owner.query("insert into projection.cards select (jsonb_populate_record(c, jsonb_build_object('card_id', 'v_big' || n, 'balance', 9000000000000000000, 'opening', 8999999999999999999))).* from projection.cards c, generate_series(1, 2) n")
  for (const path of ['/v1/customers/cust_1', '/v1/customers/cust_1/balance']) t.match((await ledger.get(path)).body, '"balance":18000000000000000001,')
  t.equal((await ledger.owner.query('select balance from reporting.customers')).rows[0].balance, '18000000000000000001')
})

import { randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import pg from 'pg'
import { test } from 'tap'
import { sign, SIGNATURE_HEADER } from '../../src/providers/voucherify/wire/signature.ts'
import { databaseUrl } from '../support/database.ts'
import { awardData, enveloped, orderData, seeds } from '../support/deliveries.ts'
import { openLedger, SECRET, type TestLedger } from '../support/ledger.ts'

async function countEvents (ledger: TestLedger): Promise<number> {
  const { rows: [row] } = await ledger.owner.query<{ count: number }>('select count(*)::int as count from ledger.events')
  return row?.count ?? -1
}

test('the seeds as they are, ten times each, in any order, at once', async t => {
  const ledger = await openLedger(t)
  const posts = Array.from({ length: 20 }, (_, index) => ledger.post(index % 2 === 0 ? seeds.award : seeds.order))
  const answers = await Promise.all(posts)
  t.ok(answers.every(answer => answer.statusCode === 202 || answer.statusCode === 200), 'each answer is a 2xx')
  t.equal(answers.filter(answer => answer.json().status === 'accepted').length, 2)
  t.equal(answers.filter(answer => answer.json().status === 'duplicate').length, 18)
  t.equal(await countEvents(ledger), 2)
  await ledger.project()

  const balance = (await ledger.get('/v1/customers/cust_IdgAFZxYwwHctOk9pPuMu308/balance')).json()
  t.match(balance, {
    customer_id: 'cust_IdgAFZxYwwHctOk9pPuMu308',
    source_id: 'jck-wbhk',
    balance: 900,
    pending: 0,
    unexplained: 0,
    cards: [{ code: 'L0y4L', campaign: 'Loyalty programme', balance: 900, opening: 0, earned: 900, unexplained: 0, last_movement_at: '2024-01-18T15:19:20.676000Z' }]
  })
  const found = (await ledger.get('/v1/customers?source_id=jck-wbhk')).json()
  t.match(found, { items: [{ customer_id: 'cust_IdgAFZxYwwHctOk9pPuMu308', name: 'Jack Webhook', metadata: { region: 'EMEA' } }], next_cursor: null })
  const earned = (await ledger.get('/v1/customers/cust_IdgAFZxYwwHctOk9pPuMu308/orders')).json()
  t.match(earned, { items: [{ order_id: 'ord_CkH2s0T5xJkK0x5pGYXoBaFn', status: 'PAID', amount: 50000, total_amount: 45000, discount_amount: 5000 }] })
  const paid = (await ledger.get('/v1/customers/cust_ufwK2qUNGDYxa1aji7XKzuHm/orders')).json()
  t.match(paid, { items: [{ order_id: 'ord_au8U64mPX6fIArsf6UVLS8u5', status: 'PAID', total_amount: 10000, discount_amount: null }] })

  const { as_of: _, ...before } = balance
  await Promise.all(posts.map(async (_, index) => await ledger.post(index % 3 === 0 ? seeds.order : seeds.award)))
  t.equal(await ledger.project(), 0, 'repeats leave nothing to project')
  const { as_of: __, ...after } = (await ledger.get('/v1/customers/cust_IdgAFZxYwwHctOk9pPuMu308/balance')).json()
  t.strictSame(after, before, 'repeats change nothing')
})

test('fifty parallel equal posts are one event and fifty 2xx, exactly one of them accepted', async t => {
  const ledger = await openLedger(t)
  const answers = await Promise.all(Array.from({ length: 50 }, () => ledger.post(enveloped(awardData()))))
  t.equal(answers.filter(answer => answer.statusCode < 300).length, 50)
  t.equal(answers.filter(answer => answer.json().status === 'accepted').length, 1)
  t.equal(new Set(answers.map(answer => answer.json().position)).size, 1, 'duplicates name the original position')
  t.equal(await countEvents(ledger), 1)
})

test('two awards of one order share the trigger event and both count', async t => {
  const ledger = await openLedger(t)
  const trigger = 'evcus_shared'
  for (const [rule, points, balance] of [['ern_1', 1, 1], ['ern_2', 5, 6]] as const) {
    t.equal((await ledger.post(awardData({ trigger, rule, points, balance }))).json().status, 'accepted')
  }
  await ledger.project()
  t.match((await ledger.get('/v1/customers/cust_1/balance')).json(), { balance: 6, cards: [{ earned: 6, opening: 0, unexplained: 0 }] })
})

test('one award told by webhook, distribution and raw payload is one movement', async t => {
  const ledger = await openLedger(t)
  const data = awardData({ points: 7, balance: 7 })
  t.equal((await ledger.post(data)).json().status, 'accepted')
  t.equal((await ledger.post(enveloped(data, { id: 'ev_a' }))).json().status, 'accepted', 'another event id: another event')
  const resent = enveloped({ ...data, publication: { id: 'pub_1' } }, { id: 'ev_a', type: 'my own name', sendOut: 'whs_2', source: 'distribution' })
  t.equal((await ledger.post(resent)).json().status, 'duplicate', 'the same event by another source, with more fields')
  await ledger.project()
  t.match((await ledger.get('/v1/customers/cust_1/balance')).json(), { balance: 7, cards: [{ earned: 7 }] })
  t.equal((await ledger.get('/v1/cards/v_1/statement')).json().items.length, 1)
})

test('the same event with other facts is a conflict: the stored one stands, both versions are kept', async t => {
  const ledger = await openLedger(t)
  await ledger.post(enveloped(awardData({ points: 7, balance: 7 })))
  const second = await ledger.post(enveloped(awardData({ points: 70, balance: 70 })))
  t.equal(second.statusCode, 202)
  t.match(second.json(), { status: 'quarantined', reason: 'conflict' })
  const again = await ledger.post(enveloped(awardData({ points: 70, balance: 70 })))
  t.equal(again.json().quarantine_id, second.json().quarantine_id, 'a retry is the same row')
  const { rows } = await ledger.owner.query('select times_seen::int, event_id, subject, state, body from ledger.quarantine')
  t.match(rows, [{ times_seen: 2, event_id: 'ev_1', subject: 'award:ern_1:v_1', state: 'open' }])
  t.equal(JSON.parse(String(rows[0].body)).data.balance.points, 70)
  await ledger.project()
  t.equal((await ledger.get('/v1/customers/cust_1/balance')).json().balance, 7)
})

test('a conflict inside one batch', async t => {
  const ledger = await openLedger(t)
  const answers = await Promise.all([1, 2, 1, 2].map(async points => await ledger.post(enveloped(awardData({ points })))))
  const statuses = answers.map(answer => answer.json().status)
  t.same(statuses, ['accepted', 'quarantined', 'duplicate', 'quarantined'])
})

test('test deliveries are stored, and never projected', async t => {
  const ledger = await openLedger(t)
  const zero = 'evcus_000000000000000000'
  t.equal((await ledger.post(enveloped(awardData({ trigger: zero }), { id: zero }))).json().status, 'accepted')
  t.equal((await ledger.post(enveloped(awardData({ trigger: zero, points: 99 }), { id: zero }))).json().status, 'duplicate', 'all share one id: no conflict')
  t.equal((await ledger.post(orderData({ customer: 'cust_000000000000000000' }))).json().status, 'accepted')
  await ledger.project()
  t.equal((await ledger.get('/v1/customers')).json().items.length, 0)
  const { items } = (await ledger.get('/v1/events')).json()
  t.same(items.map((item: { test: boolean }) => item.test), [true, true])
})

test('an unknown type is stored and projected by nothing', async t => {
  const ledger = await openLedger(t)
  const answer = await ledger.post(enveloped({ anything: [1, { deep: true }] }, { id: 'ev_new', eventType: 'customer.something.new' }))
  t.match(answer.json(), { status: 'accepted', subject: '-' })
  t.equal((await ledger.post(enveloped({ anything: 2 }, { id: 'ev_new', eventType: 'customer.something.new' }))).json().status, 'duplicate')
  t.equal(await ledger.project(), 1)
  const { items: [event] } = (await ledger.get('/v1/events/ev_new')).json()
  t.match(event, { type: 'customer.something.new', body: { data: { anything: [1, { deep: true }] } } })
})

test('what is not authentic is refused and changes nothing', async t => {
  const ledger = await openLedger(t)
  const body = JSON.stringify(awardData())
  const post = async (headers: Record<string, string>) => await ledger.app.inject({ method: 'POST', url: '/webhooks/voucherify', headers: { 'content-type': 'application/json', ...headers }, payload: body })
  for (const [signature, code] of [
    [undefined, 'signature_missing'],
    ['', 'signature_invalid'],
    ['zz', 'signature_invalid'],
    [sign(body, 'another secret'), 'signature_invalid'],
    [sign(`${body} `, SECRET), 'signature_invalid']
  ] as const) {
    const answer = await post(signature === undefined ? {} : { [SIGNATURE_HEADER]: signature })
    t.equal(answer.statusCode, 401)
    t.equal(answer.json().code, code)
    t.match(answer.headers['content-type'], 'application/problem+json')
  }
  t.equal(await countEvents(ledger), 0)
  const { rowCount } = await ledger.owner.query('select from ledger.quarantine')
  t.equal(rowCount, 0)
})

test('a missing secret never means "accept"', async t => {
  const ledger = await openLedger(t, { secrets: [] })
  const answer = await ledger.post(awardData(), { secret: '' })
  t.equal(answer.statusCode, 503)
  t.equal(answer.json().code, 'webhook_secret_missing')
  t.equal(await countEvents(ledger), 0)
})

test('an old secret counts while it is listed, and pretty-printed bodies verify', async t => {
  const ledger = await openLedger(t, { secrets: ['new', 'old'] })
  t.equal((await ledger.post(awardData(), { secret: 'old' })).statusCode, 202)
  const pretty = JSON.stringify(awardData({ rule: 'ern_2' }), null, 2)
  const answer = await ledger.post(pretty, { headers: { [SIGNATURE_HEADER]: sign(JSON.stringify(JSON.parse(pretty)), 'new') } })
  t.equal(answer.statusCode, 202, 'signed over the compact form')
})

const deep = (levels: number): string => `${'['.repeat(levels)}${']'.repeat(levels)}`

test('authentic input that cannot be used is quarantined byte for byte, never refused, and harms no batch-mate', async t => {
  const ledger = await openLedger(t)
  const award = JSON.stringify(awardData())
  const wrong: Array<[name: string, body: string | Buffer, reason: string]> = [
    ['not JSON', 'points=900', 'not_json'],
    ['empty', '', 'not_json'],
    ['a raw U+0000, which the parser quotes', '{"a":\u0000}', 'not_json'],
    ['cut off', award.slice(0, -1), 'not_json'],
    ['not UTF-8', Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}')]), 'not_utf8'],
    ['an array', `[${award}]`, 'not_an_object'],
    ['a string', '"hello"', 'not_an_object'],
    ['nested 10,000 deep', `{"data":${deep(10_000)}}`, 'too_deep'],
    ['no identity', '{"hello":"world"}', 'unidentified'],
    ['an envelope without an event id', JSON.stringify({ ...enveloped(awardData()), event: { type: 'customer.rewarded.loyalty_points' } }), 'unidentified'],
    ['an event id of 10 kB', JSON.stringify(enveloped(awardData(), { id: 'e'.repeat(10_240) })), 'unidentified'],
    ['an event id with U+0000', JSON.stringify(enveloped(awardData(), { id: 'ev\u0000' })), 'unidentified'],
    ['an event id with a separator of ours', JSON.stringify(enveloped(awardData(), { id: 'ev\u001e\u001f' })), 'unidentified'],
    ['a card id of 10 kB', JSON.stringify(awardData({ card: 'v'.repeat(10_240) })), 'invalid_payload'],
    ['points past 2^53', award.replace('"points":10', '"points":9007199254740993'), 'invalid_payload'],
    ['points past everything', award.replace('"points":10', '"points":1e400'), 'invalid_payload'],
    ['fractional points', award.replace('"points":10', '"points":10.5'), 'invalid_payload'],
    ['negative points', award.replace('"points":10', '"points":-10'), 'invalid_payload'],
    ['points as text', award.replace('"points":10', '"points":"10"'), 'invalid_payload'],
    ['no customer', JSON.stringify({ ...awardData(), customer: null, holder: null, voucher: { id: 'v_1' } }), 'invalid_payload'],
    ['a day that does not exist', JSON.stringify(awardData({ at: '2026-02-30T00:00:00Z' })), 'invalid_payload'],
    ['an amount that is not exact', JSON.stringify(orderData({ amount: 2 ** 53 })), 'invalid_payload'],
    ['a type of the ledger\'s own', JSON.stringify(enveloped({ customer: { id: 'cust_1', object: 'customer' }, erased: [{}] }, { id: 'ev_own', eventType: 'ledger.customer.erased' })), 'reserved_type'],
    ['an order of nobody', JSON.stringify({ order: { id: 'ord_9', status: 'PAID', updated_at: '2026-01-01T00:00:00Z' } }), 'invalid_payload']
  ]
  const good = Array.from({ length: wrong.length }, (_, index) => awardData({ customer: `cust_${index}`, card: `v_${index}`, points: 1, balance: 1 }))
  const answers = await Promise.all(wrong.flatMap(([, body], index) => [ledger.post(body), ledger.post(good[index] ?? {})]))
  for (const [index, [name, body, reason]] of wrong.entries()) {
    const answer = answers[2 * index]
    t.equal(answer?.statusCode, 202, name)
    t.match(answer?.json(), { status: 'quarantined', reason }, name)
    t.equal(answers[2 * index + 1]?.json().status, 'accepted', `${name}: its batch-mate`)
    const { rows } = await ledger.owner.query('select body from ledger.quarantine where quarantine_id = $1', [answer?.json().quarantine_id])
    t.same(rows[0].body, Buffer.from(body), `${name}: kept byte for byte`)
  }
  await ledger.project()
  t.equal((await ledger.get('/v1/customers?limit=500')).json().items.length, good.length)
})

test('a refusal names the field', async t => {
  const ledger = await openLedger(t)
  const award = JSON.stringify(awardData())
  for (const [body, detail] of [
    [award.replace('"points":10', '"points":"10"'), /^data\.balance\.points: /],
    [award.replace('"evcus_1"', '7'), /^data\.event\.id: an id is needed here/],
    [JSON.stringify(orderData()).replace('"amount":1000', '"amount":9007199254740993'), /^data\.order\.amount: Expected integer/]
  ] as const) {
    t.match((await ledger.post(body)).json(), { reason: 'invalid_payload', detail })
  }
})

test('what only stands beside a movement and cannot be read is left out; the points count', async t => {
  const ledger = await openLedger(t)
  const award = (trigger: string): string => JSON.stringify(awardData({ trigger, points: 1 }))
  const order = '{"id":"ord_1","status":"PAID","created_at":"2026-01-01T10:00:00Z","updated_at":"2026-01-01T10:00:00Z","amount":5}'
  const beside: Array<[text: string, strange: string]> = [
    ['"order":null', `"order":${order.replace('"amount":5', '"amount":0.5')}`],
    ['"order":null', `"order":${order.replace(/"updated_at":"[^"]*"/, '"updated_at":"2026-01-01 10:00"')}`],
    ['"order":null', `"order":${order.replace(/"created_at":"[^"]*"/, '"created_at":""')}`],
    ['"order":null', `"order":${order.replace('"ord_1"', '77')}`],
    ['"order":null', '"order":[]'],
    ['"code":"CODE-v_1"', '"code":7'],
    ['"campaign":"Points"', '"campaign":{}'],
    ['"metadata":{}', '"metadata":[]'],
    ['"source_id":"source-of-cust_1"', '"source_id":17'],
    ['"type":"LOYALTY_CARD"', '"type":"LOYALTY_CARD","active":"true"']
  ]
  for (const [index, [text, strange]] of beside.entries()) {
    const body = award(`evcus_beside_${index}`).replace(text, strange)
    t.match((await ledger.post(body)).json(), { status: 'accepted' }, strange)
  }
  await ledger.project()
  t.match((await ledger.get('/v1/cards/v_1')).json(), { earned: beside.length, movements: beside.length, code: 'CODE-v_1', campaign: 'Points' })
  const orders = (await ledger.get('/v1/customers/cust_1/orders')).json().items
  t.match(orders, [{ order_id: 'ord_1', status: 'PAID', updated_at: '2026-01-01T10:00:00.000000Z' }], 'an order that has an id, a status and a time')
})

test('strange but legal input is taken', async t => {
  // Random, since what repeats itself is compressed and fits.
  const noise = randomBytes(7000).toString('base64')
  const ledger = await openLedger(t)
  const strange: Array<[name: string, body: string]> = [
    ['__proto__ and constructor keys', JSON.stringify(awardData({ rule: 'ern_a' })).replace('{', '{"__proto__":{"polluted":true},"constructor":{"prototype":1},')],
    ['U+0000 in a name', JSON.stringify(awardData({ rule: 'ern_b' })).replace('"Ada"', '"A\\u0000da"')],
    ['U+0000 in a field nobody reads', JSON.stringify({ ...awardData({ rule: 'ern_c' }), note: '\u0000' })],
    ['U+0000 in metadata', JSON.stringify(awardData({ rule: 'ern_d' })).replace('"metadata":{}', '"metadata":{"k\\u0000":"\\u0000"}')],
    ['a lone surrogate', JSON.stringify(awardData({ rule: 'ern_e' })).replace('"Ada"', '"\\ud800"')],
    ['the largest exact integer', JSON.stringify(awardData({ rule: 'ern_f', card: 'v_big', points: Number.MAX_SAFE_INTEGER }))],
    ['and once more, past what a double holds', JSON.stringify(awardData({ rule: 'ern_g', card: 'v_big', points: Number.MAX_SAFE_INTEGER }))],
    ['numbers past 2^53 that nobody reads', JSON.stringify(awardData({ rule: 'ern_h' })).replace('"metadata":{}', '"metadata":{"n":12345678901234567890}')],
    ['zero points', JSON.stringify(awardData({ rule: 'ern_i', points: 0 }))],
    ['a source id and a code longer than an index entry', JSON.stringify(awardData({ rule: 'ern_k' })).replace('"source-of-cust_1"', JSON.stringify(noise)).replace('"CODE-v_1"', JSON.stringify(noise))],
    ['no name, no e-mail, nothing that could be missing', JSON.stringify({ voucher: { id: 'v_1', holder_id: 'cust_1' }, earning_rule: { id: 'ern_j' }, balance: { points: 1 }, event: { id: 'evcus_1', created_at: '2026-01-01T10:00:00Z' } })]
  ]
  for (const [name, body] of strange) t.equal((await ledger.post(body)).json().status, 'accepted', name)
  await ledger.project()
  const answer = await ledger.get('/v1/customers/cust_1/balance')
  t.equal(answer.statusCode, 200)
  t.match(answer.body, '"balance":18014398509481982,', 'sums past 2^53 stay exact')
  t.equal((await ledger.get('/v1/customers/cust_1')).statusCode, 200)
  t.equal(({} as { polluted?: boolean }).polluted, undefined)
  const { rows } = await ledger.owner.query("select body::text from ledger.events where subject = 'award:ern_h:v_1'")
  t.match(rows[0].body, '12345678901234567890', 'the evidence is verbatim')
})

test('transport refusals', async t => {
  const ledger = await openLedger(t, { bodyLimitBytes: 2048 })
  const cases: Array<[name: string, body: string, headers: Record<string, string>, status: number, code: string]> = [
    ['text/plain', '{}', { 'content-type': 'text/plain' }, 415, 'media_type_unsupported'],
    ['a form', 'a=1', { 'content-type': 'application/x-www-form-urlencoded' }, 415, 'media_type_unsupported'],
    ['over the limit', JSON.stringify({ filler: 'x'.repeat(3000) }), {}, 413, 'body_too_large']
  ]
  for (const [name, body, headers, status, code] of cases) {
    const answer = await ledger.post(body, { headers })
    t.equal(answer.statusCode, status, name)
    t.match(answer.json(), { code, status }, name)
    t.notMatch(answer.body, /node_modules|at .*\.ts/, `${name}: no stack trace`)
  }
  t.equal((await ledger.get('/webhooks/voucherify')).statusCode, 404)
})

test('a slash at the end, a compressed body and a byte order mark are answered with what to do, and counted', async t => {
  const ledger = await openLedger(t)
  const body = Buffer.from(JSON.stringify(awardData()))
  const marked = Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), body])
  const signed = { [SIGNATURE_HEADER]: sign(body, SECRET), 'content-type': 'application/json', host: 'localhost:3000' }
  const post = async (payload: Buffer, headers: Record<string, string> = {}, url = '/webhooks/voucherify') => await ledger.app.inject({ method: 'POST', url, payload, headers: { ...signed, ...headers } })
  for (const [answer, status, code, detail] of [
    [await post(body, {}, '/webhooks/voucherify/'), 404, 'trailing_slash', /send to \/webhooks\/voucherify\./],
    [await post(gzipSync(body), { 'content-encoding': 'gzip' }), 415, 'content_encoding_unsupported', /without content-encoding/],
    [await post(body, { 'content-encoding': 'br' }), 415, 'content_encoding_unsupported', /without content-encoding/],
    [await post(marked), 400, 'byte_order_mark', /EF BB BF/],
    [await post(marked, { [SIGNATURE_HEADER]: sign(marked, 'another') }), 401, 'signature_invalid', /\w/]
  ] as const) {
    t.equal(answer.statusCode, status, code)
    t.match(answer.headers['content-type'], 'application/problem+json')
    t.match(answer.json(), { code, detail }, code)
  }
  t.match((await ledger.post(marked)).json(), { status: 'quarantined', reason: 'not_json', detail: /byte order mark/ }, 'what is authentic is kept')
  t.equal((await post(body, { 'content-encoding': 'identity' })).statusCode, 202, 'no encoding')
  t.match((await ledger.get('/v1/status')).json().refused, [
    { code: 'byte_order_mark', count: 1 }, { code: 'content_encoding_unsupported', count: 2 }, { code: 'signature_invalid', count: 1 }, { code: 'trailing_slash', count: 1, last_at: /Z$/ }
  ])
})

test('a database that is away is a 503 with retry-after, and nothing is acknowledged', async t => {
  const ledger = await openLedger(t)
  const name = new URL(ledger.url).pathname.slice(1)
  const admin = new pg.Client({ connectionString: databaseUrl(ledger.url, 'postgres') })
  await admin.connect()
  try {
    await admin.query(`alter database ${name} allow_connections false`)
    await admin.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [name])
    const answer = await ledger.post(awardData())
    t.equal(answer.statusCode, 503)
    t.match(answer.json(), { code: 'not_stored' })
    t.ok(answer.headers['retry-after'])
    t.equal((await ledger.post('not json')).statusCode, 503, 'nor can it be quarantined')
    t.equal((await ledger.get('/v1/customers/cust_1')).statusCode, 503)
    t.equal((await ledger.get('/readyz')).statusCode, 503)
    t.equal((await ledger.get('/livez')).statusCode, 200)
  } finally {
    await admin.query(`alter database ${name} allow_connections true`)
    await admin.end()
  }
  t.equal((await ledger.post(awardData())).json().status, 'accepted', 'and it recovers by itself')
})

test('what two honest sends of one event may differ in, and what makes two facts of one key', async t => {
  const ledger = await openLedger(t)
  const status = async (delivery: object): Promise<string> => (await ledger.post(delivery)).json().status
  const order = (fields: object) => enveloped({ ...orderData(), order: { ...orderData().order, ...fields } }, { id: 'ev_order', eventType: 'customer.order.paid' })
  t.equal(await status(order({})), 'accepted')
  for (const same of [{ metadata: null }, { metadata: { more: 1 } }, { items: null }, { source_id: '' }, { discount_amount: 0 }, { updated_at: '2026-01-01T10:00:00.000123Z' }]) {
    t.equal(await status(order(same)), 'duplicate', JSON.stringify(same))
  }
  for (const other of [{ status: 'FULFILLED' }, { amount: 1 }, { total_amount: 1 }, { discount_amount: 5 }, { updated_at: '2026-01-01T10:00:01Z' }]) {
    t.equal(await status(order(other)), 'quarantined', JSON.stringify(other))
  }
  const award = (at: string) => enveloped(awardData(), { id: 'ev_award', at })
  t.equal(await status(award('2026-01-01T10:00:00.123456Z')), 'accepted')
  t.equal(await status(award('2026-01-01T10:00:00.123Z')), 'duplicate', 'fewer digits of the same moment')
  t.equal(await status(award('2026-01-01T10:00:00.900Z')), 'quarantined', 'another moment would be another place in the statement')
  const row = (points: number, type = 'voucher.loyalty_card.points_added', more: object = {}) => enveloped({
    transaction: { id: 'vtx_1', type: 'POINTS_ADDITION', voucher_id: 'v_1', created_at: '2026-01-01T10:00:00.000Z', details: { balance: { points, balance: 5 } }, ...more }
  }, { id: 'ev_row', eventType: type })
  t.equal(await status(row(5)), 'accepted')
  t.equal(await status(row(5, 'customer.voucher.loyalty_card.points_added', { reason: 'told by one sender only' })), 'duplicate')
  t.equal(await status(row(500)), 'quarantined')
  const unread = (redemption: object, type = 'redemption.failed') => enveloped({ redemption: { id: 'r_1', ...redemption } }, { id: 'ev_unread', eventType: type })
  t.equal(await status(unread({ amount: 5 })), 'accepted')
  t.equal(await status(unread({ amount: 5, details: { more: null } })), 'duplicate')
  t.equal(await status(unread({ amount: 500 })), 'quarantined')
})

test('no number of movements stops a card: sums outgrow every integer type', async t => {
  const ledger = await openLedger(t, { shards: 1, queueLimit: 5000 })
  const count = 1030
  await Promise.all(Array.from({ length: count }, (_, index) => ledger.post(awardData({ rule: `ern_${index}`, points: Number.MAX_SAFE_INTEGER }))))
  await ledger.project()
  t.match((await ledger.get('/v1/cards/v_1')).body, `"balance":${BigInt(count) * BigInt(Number.MAX_SAFE_INTEGER)},`)
  t.equal((await ledger.get('/v1/cards/v_1/statement')).statusCode, 200)
})

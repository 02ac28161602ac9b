import type { LightMyRequestResponse } from 'fastify'
import { test } from 'tap'
import { createKey } from '../../src/access/api-keys.sql.ts'
import { databaseOf } from '../../src/postgres/database.ts'
import { quarantine } from '../../src/ingest/quarantine/quarantine.sql.ts'
import { awardData, enveloped } from '../support/deliveries.ts'
import { openLedger, type TestLedger } from '../support/ledger.ts'

async function act (ledger: TestLedger, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<LightMyRequestResponse> {
  const json = body === undefined ? {} : { 'content-type': 'application/json' }
  return await ledger.app.inject({
    method: 'POST',
    url: path,
    headers: { host: 'localhost:3000', ...json, ...headers },
    ...(body === undefined ? {} : { payload: typeof body === 'string' ? body : JSON.stringify(body) })
  })
}

/** As an older version of the code, which could not read it, would have set it aside. */
async function keep (ledger: TestLedger, delivery: object | string | Buffer, reason = 'invalid_payload'): Promise<bigint> {
  const body = Buffer.isBuffer(delivery) ? delivery : Buffer.from(typeof delivery === 'string' ? delivery : JSON.stringify(delivery))
  return (await quarantine(ledger.db, { provider: 'voucherify', body, headers: { 'content-type': 'application/json' }, reason, detail: 'older code' })).quarantine_id
}

async function operator (ledger: TestLedger, scope: 'read' | 'operate' = 'operate'): Promise<{ headers: Record<string, string>, key_id: string }> {
  // pg's own pool reads no Instant, which a key does not need.
  const key = await createKey(databaseOf(ledger.owner), 'on-call', scope)
  return { headers: { authorization: `Bearer ${key.token}` }, key_id: key.key_id }
}

test('both versions of a conflict are kept and shown, with what differs between them', async t => {
  const ledger = await openLedger(t)
  const stored = enveloped(awardData({ points: 7, balance: 7 }))
  const position = (await ledger.post(stored)).json().position
  const { quarantine_id } = (await ledger.post(enveloped(awardData({ points: 70, balance: 70 }), { sendOut: 'whs_2' }))).json()
  const shown = await ledger.get(`/v1/quarantine/${quarantine_id}`)
  t.equal(shown.statusCode, 200)
  t.match(shown.json(), {
    quarantine_id,
    state: 'open',
    reason: 'conflict',
    times_seen: 1,
    position,
    body: JSON.stringify(enveloped(awardData({ points: 70, balance: 70 }), { sendOut: 'whs_2' })),
    body_encoding: 'utf-8',
    headers: { 'content-type': 'application/json' },
    stored: { event_id: 'ev_1', subject: 'award:ern_1:v_1', position, type: 'customer.rewarded.loyalty_points', recorded_at: /Z$/, body_text: JSON.stringify(stored) },
    differences: {
      facts: [{ path: 'points', stored: '7', received: '70' }, { path: 'balance', stored: '7', received: '70' }],
      fields: [{ path: 'data.balance.balance' }, { path: 'data.balance.points' }, { path: 'data.balance.total' }],
      more_fields: 0
    },
    decided_at: null,
    decided_by: null,
    discard_reason: null
  })
  const refused = await act(ledger, `/v1/quarantine/${quarantine_id}/redrive`)
  t.equal(refused.statusCode, 409)
  t.match(refused.json(), { code: 'still_conflicting', reason: 'conflict', detail: /with other facts.*discard/ })
  t.match(refused.headers['content-type'], 'application/problem+json')
  t.equal((await ledger.owner.query('select from ledger.events')).rowCount, 1, 'the stored one stands')
})

test('a list pages by id, by state and reason, and tells no bodies', async t => {
  const ledger = await openLedger(t)
  const ids: string[] = []
  for (let index = 0; index < 25; index++) ids.push(String(await keep(ledger, `broken ${index}`, index % 5 === 0 ? 'defect' : 'not_json')))
  const walk = async (query: string): Promise<string[]> => {
    const found: string[] = []
    for (let cursor: string | null = ''; cursor !== null;) {
      const page: { items: Array<{ quarantine_id: string }>, next_cursor: string | null } = (await ledger.get(`/v1/quarantine?limit=7${query}${cursor === '' ? '' : `&cursor=${cursor}`}`)).json()
      found.push(...page.items.map(row => row.quarantine_id))
      cursor = page.next_cursor
    }
    return found
  }
  t.same(await walk(''), ids)
  t.same(await walk('&reason=defect'), ids.filter((_, index) => index % 5 === 0))
  t.same(await walk('&state=discarded'), [])
  t.match((await ledger.get('/v1/quarantine?limit=1')).json().items, [{ quarantine_id: ids[0], state: 'open', reason: 'defect', detail: 'older code', body_bytes: 8, position: null, times_seen: 1 }])
  t.notOk('body' in (await ledger.get('/v1/quarantine?limit=1')).json().items[0])
  for (const query of ['state=closed', 'sate=open', 'limit=0', 'cursor=nonsense']) t.equal((await ledger.get(`/v1/quarantine?${query}`)).statusCode, 400, query)
})

test('a redrive stores what can be read now, tells the position, and the row says who and when', async t => {
  const ledger = await openLedger(t)
  const { headers, key_id } = await operator(ledger)
  const id = await keep(ledger, enveloped(awardData({ points: 7 })))
  const redriven = await act(ledger, `/v1/quarantine/${id}/redrive`, undefined, headers)
  t.equal(redriven.statusCode, 200, redriven.body)
  t.match(redriven.json(), { status: 'redriven', event: 'accepted', event_id: 'ev_1', subject: 'award:ern_1:v_1', position: /^\d+:1$/ })
  t.match((await ledger.get(`/v1/quarantine/${id}`, headers)).json(), { state: 'redriven', decided_by: `${key_id} (on-call)`, decided_at: /Z$/, position: redriven.json().position, differences: null })
  await ledger.project()
  t.equal((await ledger.get('/v1/cards/v_1', headers)).json().balance, 7)

  const again = await act(ledger, `/v1/quarantine/${id}/redrive`, undefined, headers)
  t.equal(again.statusCode, 409)
  t.match(again.json(), { code: 'not_open', state: 'redriven' })
  const unusable = await keep(ledger, 'not json', 'defect')
  t.match((await act(ledger, `/v1/quarantine/${unusable}/redrive`, undefined, headers)).json(), { status: 409, code: 'still_unusable', reason: 'not_json', detail: /not JSON/ })
  t.match((await ledger.get(`/v1/quarantine/${unusable}`, headers)).json(), { state: 'open', reason: 'not_json' })
})

test('two redrives at once store once', async t => {
  const ledger = await openLedger(t)
  const id = await keep(ledger, enveloped(awardData()))
  const answers = await Promise.all(Array.from({ length: 8 }, async () => await act(ledger, `/v1/quarantine/${id}/redrive`)))
  t.equal(answers.filter(answer => answer.json().event === 'accepted').length, 1)
  t.ok(answers.every(answer => answer.statusCode === 200 || answer.json().code === 'not_open'))
  t.equal((await ledger.owner.query('select from ledger.events')).rowCount, 1)
})

test('discarding asks for a reason, and keeps the row and its bytes', async t => {
  const ledger = await openLedger(t)
  const { headers, key_id } = await operator(ledger)
  const id = await keep(ledger, 'not json', 'not_json')
  for (const [name, body] of [
    ['nothing', undefined], ['no reason', {}], ['an empty one', { reason: '' }], ['a blank one', { reason: ' \n' }], ['too long a one', { reason: 'x'.repeat(1001) }],
    ['a number', { reason: 5 }], ['null', { reason: null }], ['a list', ['reason']], ['something else too', { reason: 'a test', because: 'x' }], ['not JSON', '{"reason":']
  ] as const) {
    const refused = await act(ledger, `/v1/quarantine/${id}/discard`, body, headers)
    t.equal(refused.statusCode, 400, name)
    t.match(refused.json(), { code: 'request_invalid' }, name)
  }
  t.equal((await act(ledger, `/v1/quarantine/${id}/discard`, 'reason=x', { ...headers, 'content-type': 'text/plain' })).statusCode, 415)
  t.match((await ledger.get(`/v1/quarantine/${id}`, headers)).json(), { state: 'open', discard_reason: null })

  const discarded = await act(ledger, `/v1/quarantine/${id}/discard`, { reason: ' their test \u0000' }, headers)
  t.equal(discarded.statusCode, 200, discarded.body)
  t.match(discarded.json(), { quarantine_id: String(id), state: 'discarded', discard_reason: 'their test \ufffd', decided_by: `${key_id} (on-call)`, decided_at: /Z$/, body: 'not json' })
  t.match((await act(ledger, `/v1/quarantine/${id}/discard`, { reason: 'again' }, headers)).json(), { status: 409, code: 'not_open', state: 'discarded' })
  t.match((await act(ledger, `/v1/quarantine/${id}/redrive`, undefined, headers)).json(), { status: 409, code: 'not_open' })
  t.match((await ledger.get('/v1/quarantine?state=discarded', headers)).json().items, [{ quarantine_id: String(id) }])
  t.equal((await ledger.post('not json')).json().quarantine_id, String(id), 'its bytes once more')
  t.match((await ledger.get(`/v1/quarantine/${id}`, headers)).json(), { state: 'discarded', times_seen: 2 })
})

test('only operators: a key of scope read may not look, redrive or discard', async t => {
  const ledger = await openLedger(t)
  const id = await keep(ledger, enveloped(awardData()))
  const reader = await operator(ledger, 'read')
  const answers = [
    await ledger.get('/v1/quarantine', reader.headers), await ledger.get(`/v1/quarantine/${id}`, reader.headers),
    await act(ledger, `/v1/quarantine/${id}/redrive`, undefined, reader.headers), await act(ledger, `/v1/quarantine/${id}/discard`, { reason: 'x' }, reader.headers)
  ]
  t.same(answers.map(answer => answer.statusCode), [403, 403, 403, 403])
  t.equal((await act(ledger, `/v1/quarantine/${id}/redrive`)).statusCode, 401)
  t.equal((await ledger.owner.query('select from ledger.events')).rowCount, 0)
})

test('in protected mode no page of another origin may act', async t => {
  const ledger = await openLedger(t)
  const id = await keep(ledger, enveloped(awardData()))
  for (const origin of ['https://evil.example', 'null', 'http://localhost:4000']) {
    t.match((await act(ledger, `/v1/quarantine/${id}/redrive`, undefined, { origin })).json(), { status: 403, code: 'protected_mode' }, origin)
  }
  t.equal((await ledger.owner.query('select from ledger.events')).rowCount, 0)
  t.equal((await act(ledger, `/v1/quarantine/${id}/redrive`, undefined, { origin: 'http://localhost:3000' })).statusCode, 200, 'its own documentation page may')
  t.match((await ledger.get(`/v1/quarantine/${id}`)).json(), { decided_by: 'this machine, without a key' })
})

test('ids that are none, bodies where none belong, and bytes that are no text', async t => {
  const ledger = await openLedger(t)
  for (const id of ['999', '9223372036854775808', '0']) {
    t.match((await ledger.get(`/v1/quarantine/${id}`)).json(), { status: 404, code: 'quarantine_not_found' }, id)
    t.equal((await act(ledger, `/v1/quarantine/${id}/redrive`)).statusCode, 404, id)
    t.equal((await act(ledger, `/v1/quarantine/${id}/discard`, { reason: 'x' })).statusCode, 404, id)
  }
  t.equal((await ledger.get('/v1/quarantine/abc')).statusCode, 400)
  const bytes = Buffer.from([0x7b, 0xff, 0xfe])
  const id = await keep(ledger, bytes, 'not_utf8')
  t.match((await ledger.get(`/v1/quarantine/${id}`)).json(), { body: bytes.toString('base64'), body_encoding: 'base64', stored: null, differences: null })
  t.equal((await act(ledger, `/v1/quarantine/${id}/redrive`, { force: true })).statusCode, 400)
  t.equal((await act(ledger, `/v1/quarantine/${id}/redrive?force=true`)).statusCode, 400)
  t.equal((await act(ledger, `/v1/quarantine/${id}/redrive`, '')).json().code, 'still_unusable', 'JSON of no length is no body')
  await ledger.appender.close()
  const usable = await keep(ledger, awardData())
  t.match((await act(ledger, `/v1/quarantine/${usable}/redrive`)).json(), { status: 503, code: 'not_stored' })
})

test('the service can decide, and cannot change what came in or let it vanish', async t => {
  const ledger = await openLedger(t)
  const id = await keep(ledger, 'not json')
  const service = await ledger.owner.connect()
  t.teardown(() => { service.release(true) })
  await service.query('set role ledger_service')
  for (const statement of ["set body = 'x'", "set headers = '{}'", 'set first_seen_at = now()', 'set quarantine_id = default']) {
    await t.rejects(service.query(`update ledger.quarantine ${statement}`), { code: '42501' }, statement)
  }
  for (const statement of ['delete from ledger.quarantine', 'truncate ledger.quarantine']) await t.rejects(service.query(statement), { code: '42501' }, statement)
  await t.rejects(service.query("update ledger.quarantine set state = 'discarded', decided_at = now(), decided_by = 'me' where quarantine_id = $1", [String(id)]), { code: '23514' }, 'not without a reason')
  await t.rejects(service.query("update ledger.quarantine set state = 'redriven' where quarantine_id = $1", [String(id)]), { code: '23514' }, 'not without who and when')
})

test('the routes are described', async t => {
  const ledger = await openLedger(t)
  const { paths } = (await ledger.get('/openapi.json')).json()
  t.match(paths['/v1/quarantine/{quarantine_id}/discard'].post, { requestBody: { content: { 'application/json': { schema: { required: ['reason'], additionalProperties: false } } } }, security: [{ key: { length: 0 } }] })
  t.ok(paths['/v1/quarantine/{quarantine_id}/redrive'].post.responses['409'])
  t.notOk(paths['/v1/quarantine/{quarantine_id}/redrive'].post.requestBody)
})

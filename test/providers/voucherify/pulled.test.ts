// Objects of the provider's API, as bodies of deliveries.
import { test } from 'tap'
import type { Fact } from '../../../src/ledger/facts.ts'
import { pulledBody } from '../../../src/providers/voucherify/families/pulled.ts'
import { factsOf, identify } from '../../../src/providers/voucherify/identify.ts'
import type { JsonObject } from '../../../src/providers/voucherify/wire/json.ts'
import type { IdentifiedDelivery, Unusable } from '../../../src/providers/provider.ts'
import { recognise } from '../../../src/providers/person.ts'
import { identifyingTexts } from '../../../src/providers/voucherify/privacy/identifying-texts.ts'
import { redact } from '../../../src/providers/voucherify/privacy/redaction.ts'
import { identified } from './payloads.ts'

const AT = '2026-01-01T10:00:00.000Z'
const CARD = { id: 'v_1', code: 'CODE', type: 'LOYALTY_CARD', loyalty_card: { balance: 70, pending_points: 5 }, active: true, created_at: AT, updated_at: AT, holder_id: 'cust_1' }
const ROW = { id: 'vtx_1', type: 'POINTS_ADDITION', voucher_id: 'v_1', details: { balance: { points: 5, balance: 75 } }, created_at: AT }
const ORDER = { id: 'ord_1', status: 'PAID', amount: 100, created_at: AT, updated_at: null, customer_id: 'cust_1' }
const LOT = { id: 'lopp_1', voucher_id: 'v_1', customer_id: 'cust_1', points: 7, activates_at: '2026-02-01', created_at: AT }
const CUSTOMER = { id: 'cust_1', source_id: 'shop-1', created_at: AT }

function identifyPulled (kind: Parameters<typeof pulledBody>[0], object: object): IdentifiedDelivery | Unusable {
  return identify(pulledBody(kind, JSON.stringify(object)))
}

function idOf (kind: Parameters<typeof pulledBody>[0], object: object): string {
  return identified(pulledBody(kind, JSON.stringify(object)).toString()).event_id
}

test('the text of an object is kept byte for byte', async t => {
  const text = '{ "id":"cust_1","updated_at":null,  "created_at":"2026-01-01T10:00:00Z","metadata":{"erp":1152921506151679042,"price":19.990,"\\u0061":"\\u00e9"} }'
  const body = pulledBody('customer', text)
  t.equal(body.toString(), `{"pulled":"customer","object":${text}}`)
  t.equal(identified(body.toString()).body, body.toString())
})

test('it is said who sent it: the API', async t => {
  for (const [kind, object] of [['transaction', ROW], ['card', CARD], ['order', ORDER], ['customer', CUSTOMER], ['pending_points', LOT]] as const) {
    t.match(identifyPulled(kind, object), { type: `pulled.${kind}`, sender_kind: 'api', sender_id: null }, kind)
  }
})

test('pulled again unchanged it is the same event, and changed it is another', async t => {
  const versions: Array<[Parameters<typeof pulledBody>[0], object, object[]]> = [
    ['card', CARD, [{ loyalty_card: { balance: 71, pending_points: 5 } }, { loyalty_card: { balance: 70, pending_points: 6 } }, { holder_id: 'cust_2' }, { active: false }, { updated_at: '2026-01-01T10:00:00.001Z' }]],
    ['order', ORDER, [{ status: 'CANCELED' }, { amount: 101 }, { customer_id: 'cust_2' }, { updated_at: '2026-01-02T10:00:00Z' }]],
    ['customer', CUSTOMER, [{ updated_at: '2026-01-02T10:00:00Z' }]],
    ['pending_points', LOT, [{ points: 8 }, { activates_at: '2026-02-02' }, { updated_at: '2026-01-02T10:00:00Z' }]]
  ]
  for (const [kind, object, changes] of versions) {
    const id = idOf(kind, object)
    t.equal(idOf(kind, { assets: null, ...object, unknown: 1 }), id, `${kind}: what is not read is no other version`)
    t.equal(idOf(kind, { ...object, created_at: '2026-01-01T10:00:00.000000Z' }), id, `${kind}: however the time is written`)
    const ids = changes.map(change => idOf(kind, { ...object, ...change }))
    t.equal(new Set([id, ...ids]).size, changes.length + 1, `${kind}: each change is another event`)
  }
  t.equal(idOf('transaction', ROW), 'pulled:transaction:vtx_1', 'a row never changes')
})

test('two ids of odd shapes never give one event id', async t => {
  const ids = [['v_1', '2026-01-01T10:00:00Z'], ['v_1:2026-01-01T10:00:00.000000Z', AT], ['v_%3A1', AT], ['v_:1', AT]].map(([id, updated_at]) => idOf('card', { ...CARD, id, updated_at }))
  t.equal(new Set(ids).size, ids.length)
  const longest = 'é:'.repeat(85)
  t.ok(Buffer.byteLength(idOf('card', { ...CARD, id: longest })) <= 800, 'and the longest is short enough for a key')
})

test('a card that lacks what it need not have is read without it', async t => {
  const facts = (object: object): Fact[] => factsOf(identified(pulledBody('card', JSON.stringify(object)).toString()).body)
  t.match(facts({ ...CARD, loyalty_card: null }), [{ fact: 'card', fields: { code: 'CODE', active: 'true' }, holder_id: 'cust_1' }, { fact: 'customer' }], 'no balance')
  t.match(facts({ ...CARD, holder_id: null }), [{ fact: 'card' }, { fact: 'snapshot', balance: 70n, pending: 5n }], 'no holder')
  t.match(facts({ ...CARD, holder_id: undefined, holder: { id: 'cust_2', name: 'Ann' } }), [{ holder_id: 'cust_2' }, { fact: 'snapshot' }, { fact: 'customer', customer_id: 'cust_2', fields: { name: 'Ann' } }], 'the holder as an object')
  t.match(facts({ ...CARD, loyalty_card: { balance: '70' }, active: 'yes', code: 7 }), [{ fact: 'card' }, { fact: 'customer' }], 'wrong kinds')
})

test('what a pulled object cannot do without is named when it is missing or of another kind', async t => {
  const needed: Array<[Parameters<typeof pulledBody>[0], JsonObject, string[]]> = [
    ['transaction', ROW, ['id', 'voucher_id', 'created_at']], ['card', CARD, ['id']], ['order', ORDER, ['id', 'status']], ['customer', CUSTOMER, ['id']], ['pending_points', LOT, ['id', 'voucher_id', 'points']]
  ]
  for (const [kind, object, names] of needed) {
    for (const name of names) {
      for (const value of [undefined, null, '', 7.5, true, [], {}, 'a\u0000b']) {
        t.match(identifyPulled(kind, { ...object, [name]: value }), { reason: 'invalid_payload', detail: new RegExp(name.replace('id', '(id|related_object)')) }, `${kind}.${name}: ${JSON.stringify(value)}`)
      }
    }
    for (const time of ['yesterday', 'é', '2026-13-01T00:00:00Z']) {
      t.match(identifyPulled(kind, { ...object, created_at: time, updated_at: time }), { reason: 'invalid_payload', detail: /_at: / }, `${kind}: ${time}`)
    }
  }
  for (const object of [null, [], [CARD], 'v_1', 7, true]) t.match(identify(pulledBody('card', JSON.stringify(object))), { reason: 'unidentified' }, JSON.stringify(object))
  for (const kind of ['', 'toString', '__proto__', 'Card', null, 7, ['card']]) t.match(identify(Buffer.from(JSON.stringify({ pulled: kind, object: CARD }))), { reason: 'unidentified' }, JSON.stringify(kind))
})

test('no member of any kind makes reading throw, or costs more than itself', async t => {
  const wrong = [null, '', 'x', 7, -1, 1e300, true, [], [1], {}, { id: 7 }]
  let tried = 0
  for (const [kind, object] of [['transaction', ROW], ['card', CARD], ['order', ORDER], ['customer', CUSTOMER], ['pending_points', LOT]] as const) {
    const members = [...Object.keys(object), 'metadata', 'items', 'customer', 'holder', 'details', 'loyalty_card', 'source_id', 'code', 'email', 'campaign_id', 'order_id']
    for (const name of members) {
      for (const value of wrong) {
        const result = identifyPulled(kind, { ...object, [name]: value })
        tried++
        if ('reason' in result) t.equal(result.reason, 'invalid_payload', `${kind}.${name}`)
        else factsOf(result.body)
      }
    }
  }
  t.ok(tried > 500, `${tried} tried`)
})

test('of a customer who is erased nothing is left in what was pulled or exported', async t => {
  const PROFILE = { name: 'Ann Madeup', email: 'ann@private.example', phone: '+44 20 7946 0958' }
  const bodies: Array<[what: string, body: string]> = [
    ['a customer', pulledBody('customer', JSON.stringify({ ...CUSTOMER, ...PROFILE, metadata: { nick: 'Ann Madeup' } })).toString()],
    ['an order', pulledBody('order', JSON.stringify({ ...ORDER, customer: { id: 'cust_1', ...PROFILE }, metadata: { for: 'Ann Madeup' } })).toString()],
    ['a card', pulledBody('card', JSON.stringify({ ...CARD, holder: { id: 'cust_1', ...PROFILE }, metadata: { for: 'Ann Madeup' } })).toString()],
    ['a row of customers', JSON.stringify({ export: 'customers', row: { id: 'cust_1', created_at: AT, ...PROFILE, source_id: 'ann@private.example', metadata: { nick: 'Ann Madeup' } } })],
    ['a row of vouchers', JSON.stringify({ export: 'vouchers', row: { id: 'v_1', loyalty_balance: '5', created_at: AT, customer_id: 'cust_1', customer_source_id: 'ann@private.example', metadata: { of: 'Ann Madeup' } } })],
    ['a row of orders', JSON.stringify({ export: 'orders', row: { id: 'ord_1', status: 'PAID', created_at: AT, customer_id: 'cust_1', metadata: { of: 'Ann Madeup', mail: 'ann@private.example' } } })]
  ]
  for (const [what, body] of bodies) {
    const after = redact(body, { customer_id: 'cust_1', matcher: recognise([...Object.values(PROFILE), ...identifyingTexts(body, 'cust_1')]) }) ?? ''
    t.notMatch(after, /Ann|private\.example|7946/, what)
    const { body: _, ...before } = identified(body)
    const { body: __, ...same } = identified(after)
    t.same(same, before, `${what}: the same event`)
  }
})

test('no cell of an export makes reading throw, and what only describes costs nothing', async t => {
  const rows: Array<[table: string, row: Record<string, string>, needed: string[]]> = [
    ['vouchers', { id: 'v_1', code: 'C', voucher_type: 'LOYALTY_CARD', loyalty_balance: '5', active: 'true', created_at: AT, updated_at: AT, customer_id: 'cust_1', customer_source_id: 's' }, ['id']],
    ['orders', { id: 'ord_1', status: 'PAID', amount: '5', created_at: AT, updated_at: AT, customer_id: 'cust_1' }, ['id', 'status']],
    ['customers', { id: 'cust_1', name: 'A', email: 'a@example.com', source_id: 's', created_at: AT, updated_at: AT }, ['id']],
    ['points_expiration', { id: 'lopb_1', voucher_id: 'v_1', status: 'ACTIVE', points: '5', expires_at: '2027-01-01' }, ['id', 'voucher_id', 'status']]
  ]
  const cells = ['', ' ', 'null', '{}', '[]', '-1', '1.5', '9007199254740993', 'true', 'toString', '__proto__', 'é', 'yesterday', 'x'.repeat(300), 7, null, [], {}, { a: 1 }]
  const numbers = ['amount', 'loyalty_balance', 'points']
  for (const [table, row, needed] of rows) {
    const read = (member: string, cell: unknown): IdentifiedDelivery | Unusable => identify(Buffer.from(JSON.stringify({ export: table, as_of: AT, row: { ...row, [member]: cell } })))
    for (const member of [...Object.keys(row), 'metadata', 'campaign', 'campaign_id', 'unknown']) {
      for (const cell of cells) {
        const result = read(member, cell)
        if ('reason' in result) t.equal(result.reason, 'invalid_payload', `${table}.${member}: ${JSON.stringify(cell)}`)
        else factsOf(result.body)
      }
      const empty = read(member, '')
      t.equal('reason' in empty, needed.includes(member), `${table}.${member}: an empty cell`)
      if (numbers.includes(member)) t.match(read(member, '1.5'), { reason: 'invalid_payload', detail: /is not a whole number/ }, `${table}.${member}`)
    }
  }
  t.match(identify(Buffer.from(JSON.stringify({ export: 'points_expiration', row: rows[3]?.[1] }))), { reason: 'invalid_payload', detail: /as_of/ }, 'as of when, the body says')
  for (const table of ['', 'products', 'toString', null, 7]) t.match(identify(Buffer.from(JSON.stringify({ export: table, row: { id: 'x' } }))), { reason: 'unidentified' }, JSON.stringify(table))
})

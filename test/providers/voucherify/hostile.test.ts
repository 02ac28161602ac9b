import assert from 'node:assert/strict'
import { fc } from '../../support/chance.ts'
import { test } from 'tap'
import type { Fact } from '../../../src/ledger/facts.ts'
import type { IdentifiedDelivery, Unusable } from '../../../src/providers/provider.ts'
import { factsOf, identify } from '../../../src/providers/voucherify/identify.ts'
import { MAX_ID_BYTES } from '../../../src/providers/voucherify/wire/ids.ts'
import { isObject, MAX_DEPTH, type Json, type JsonObject } from '../../../src/providers/voucherify/wire/json.ts'
import { always } from '../../ledger/property.ts'
import {
  archivedOrder, award, AWARD, campaignNotification, distribution, identified, identifyJson, order, PAID, pathsOf, plain, projectWebhook, set, texts, v2018
} from './payloads.ts'

function identifyText (text: string): IdentifiedDelivery | Unusable {
  return identify(Buffer.from(text))
}

/**
 * JSON text of a payload in which the member at a path is any text: figures that no JavaScript number holds, escapes.
 */
function withRaw (json: JsonObject, path: ReadonlyArray<string | number>, raw: string): string {
  const marker = '\u2603 here'
  return JSON.stringify(set(json, path, marker)).replace(JSON.stringify(marker), () => raw)
}

test('what is no JSON object is refused with a reason that stays', async t => {
  const bodies: Array<[what: string, body: Buffer | string, reason: string]> = [
    ['nothing', '', 'not_json'], ['white space', ' \n', 'not_json'], ['text', 'hello', 'not_json'], ['a form', 'a=1&b=2', 'not_json'],
    ['half an object', texts.award.slice(0, 1000), 'not_json'], ['two objects', '{}{}', 'not_json'], ['a trailing comma', '{"a":1,}', 'not_json'],
    ['single quotes', "{'a':1}", 'not_json'], ['a comment', '{} // no', 'not_json'], ['NaN', '{"a":NaN}', 'not_json'],
    ['a byte order mark', '\ufeff{}', 'not_json'], ['a raw U+0000', '{"a":"\u0000"}', 'not_json'], ['a raw U+001E', '{"a":"\u001e"}', 'not_json'], ['U+001E between tokens', '{\u001e}', 'not_json'],
    ['an array', '[]', 'not_an_object'], ['an array of deliveries', `[${texts.award}]`, 'not_an_object'], ['a number', '7', 'not_an_object'],
    ['a string', '"x"', 'not_an_object'], ['null', 'null', 'not_an_object'], ['true', 'true', 'not_an_object'],
    ['a lone byte', Buffer.from([0xff]), 'not_utf8'], ['half a character', Buffer.from(texts.order.replace('Alex', 'é')).subarray(0, texts.order.indexOf('Alex') + 1), 'not_utf8'],
    ['Latin-1', Buffer.from('{"name":"é"}', 'latin1'), 'not_utf8'], ['UTF-16', Buffer.from('{"a":1}é', 'utf16le'), 'not_utf8'],
    ['a surrogate in UTF-8', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), 'not_utf8'], ['an overlong slash', Buffer.from([0x22, 0xc0, 0xaf, 0x22]), 'not_utf8'], ['gzip', Buffer.from([0x1f, 0x8b, 0x08, 0x00]), 'not_utf8']
  ]
  for (const [what, body, reason] of bodies) {
    const result = identify(Buffer.from(body as Buffer))
    t.match(result, { reason, detail: /\w/ }, what)
  }
  t.match(identifyText('{}'), { reason: 'unidentified' }, 'an empty object is JSON, but says nothing')
})

test('a body that nests too deep never reaches a recursive parser', async t => {
  const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels)
  // The wrapping and its data are two levels.
  const deepOrder = (levels: number): string => withRaw(projectWebhook(order()), ['data', 'x'], nested(levels))
  t.match(identifyText(deepOrder(MAX_DEPTH - 2)), { event_id: 'evcus_0f1' }, '128 levels are read')
  t.match(identifyText(deepOrder(MAX_DEPTH - 1)), { reason: 'too_deep', detail: /128/ }, '129 are not')
  t.match(identifyText(`{"a":${'{"a":'.repeat(128)}1${'}'.repeat(129)}`), { reason: 'too_deep' }, 'objects count as arrays do')
  for (const text of ['['.repeat(500_000), nested(250_000), '{"a":'.repeat(100_000), `${texts.order.slice(0, -1)},"x":${nested(200_000)}}`]) {
    t.match(identifyText(text), { reason: 'too_deep' }, `${text.length} characters`)
  }
  t.match(identifyText(withRaw(projectWebhook(order()), ['data', 'x'], JSON.stringify(`\\"${'[{'.repeat(500)}`))), { event_id: 'evcus_0f1' }, 'brackets inside a string are text')
  t.match(identifyText(withRaw(projectWebhook(order()), ['data', 'x'], `[${Array(500).fill('[]').join()}]`)), { event_id: 'evcus_0f1' }, 'many side by side are not deep')
  t.match(identifyText(']'.repeat(300) + '['.repeat(300)), { reason: 'not_json' })

  const metadata = set(award(), ['order', 'metadata'], JSON.parse(`${'{"a":'.repeat(100)}1${'}'.repeat(100)}`) as Json)
  t.ok(factsOf(identified(metadata).body).some(fact => fact.fact === 'order' && fact.metadata?.includes('"a":1')), 'what is read is told to its depth')
})

test('keys that name the inside of objects are data like any other', async t => {
  const poison = '{"id":"evil","polluted":true,"points":1,"toString":"x"}'
  for (const key of ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'valueOf', 'toJSON', 'then', 'length']) {
    for (const [data, type] of [[award, AWARD], [order, PAID]] as const) {
      const clean = identified(projectWebhook(data(), { type }))
      for (const path of [[], ['data'], ['event'], ['source'], ['data', 'customer'], ['data', 'order'], ['data', 'order', 'metadata'], ['data', 'customer', 'metadata']]) {
        const text = withRaw(projectWebhook(data(), { type }), [...path, key], poison)
        // Metadata of an order is part of the state that an order event tells.
        if (type === PAID && path.at(-2) === 'order') continue
        const { fact_digest, subject, event_id, customer_id } = identified(text)
        t.strictSame({ fact_digest, subject, event_id, customer_id }, {
          fact_digest: clean.fact_digest, subject: clean.subject, event_id: clean.event_id, customer_id: clean.customer_id
        }, `${key} in ${path.join('.') || 'the body'}`)
        factsOf(text)
      }
    }
  }
  t.match(identifyText(withRaw(award(), ['voucher'], '{"__proto__":{"id":"v_evil"}}')), { subject: /:v_hjQhSsitD6lAATASbRV1Ef7dUCjpy0iw$/ }, 'nothing is inherited from it')
  t.match(identifyText('{"__proto__":{"order":{"id":"ord_1"}}}'), { reason: 'unidentified' })
  const metadata = factsOf(withRaw(award(), ['customer', 'metadata'], '{"__proto__":{"a":1},"b":2}')).find(fact => fact.fact === 'customer')
  t.match(metadata, { fields: { metadata: '{"__proto__":{"a":1},"b":2}' } }, 'it is kept')
  t.equal(({} as { polluted?: unknown }).polluted, undefined)
  t.strictSame(Object.keys(Object.prototype), [])
})

test('an archived object that calls itself __proto__ is data too', async t => {
  const archived = JSON.stringify(v2018({ object: { object: '__proto__', order: order().order, customer: order().customer } }))
  t.match(identifyText(archived), { reason: 'invalid_payload' }, 'nothing is inherited from it')
})

const BAD_IDS: Array<[what: string, id: Json]> = [
  ['nothing', null], ['empty', ''], ['10 kB', 'x'.repeat(10_240)], ['one byte too long', 'x'.repeat(MAX_ID_BYTES + 1)], ['too long in bytes', 'é'.repeat(MAX_ID_BYTES / 2 + 1)],
  ['U+0000', 'a\u0000b'], ['U+001E', 'a\u001eb'], ['U+001F', '\u001f'], ['a line end', 'ab\n'], ['U+007F', 'a\u007f'],
  ['a lone high surrogate', 'a\ud800'], ['a lone low surrogate', '\udc00a'], ['a number', 7], ['a boolean', true], ['an array', ['ev_1']], ['an object', { id: 'ev_1' }]
]

test('an id that could not be stored, or is no text, identifies nothing', async t => {
  for (const [what, id] of BAD_IDS) {
    for (const wrap of [projectWebhook, distribution, v2018]) {
      t.match(identifyJson(wrap(order(), { event_id: id })), { reason: 'unidentified', detail: /event id/ }, what)
    }
    t.match(identifyJson(set(award(), ['event', 'id'], id)), { reason: 'invalid_payload', detail: /event/ }, `the trigger: ${what}`)
    t.match(identifyJson(set(award(), ['earning_rule', 'id'], id)), { reason: 'invalid_payload', detail: /earning_rule\.id/ }, `the rule: ${what}`)
    t.match(identifyJson(set(order(), ['order', 'id'], id)), { reason: 'invalid_payload', detail: /order\.id/ }, `the order: ${what}`)
    t.match(identifyJson(set(order(), ['order', 'status'], id)), { reason: 'invalid_payload', detail: /order\.status/ }, `its status: ${what}`)
    t.match(identifyJson(projectWebhook({ voucher: { id } }, { type: 'voucher.archived' })), { subject: '-' }, `a type that is not read: ${what}`)
    const sentOut = identifyJson({ ...projectWebhook(order()), id, project_id: id, source: { id, object: id } })
    t.match(sentOut, { event_id: 'evcus_0f1', send_out_id: null, project_id: null, source: null, source_id: null }, `diagnostics are dropped, not the delivery: ${what}`)
    // What is no text counts as absent where something else names the card or the customer.
    if (id === null || id === '' || typeof id !== 'string') continue
    t.match(identifyJson(set(award(), ['voucher', 'id'], id)), { reason: 'invalid_payload', detail: /voucher/ }, `the card: ${what}`)
    t.match(identifyJson(set(award(), ['voucher', 'holder_id'], id)), { reason: 'invalid_payload', detail: /voucher/ }, `its holder: ${what}`)
    t.match(identifyJson(set(order(), ['order', 'customer_id'], id)), { reason: 'invalid_payload', detail: /customer_id/ }, `the customer: ${what}`)
    t.match(identifyJson(set(order(), ['customer', 'id'], id)), { reason: 'invalid_payload', detail: /customer/ }, `the customer object: ${what}`)
  }
  for (const id of ['x'.repeat(MAX_ID_BYTES), 'é'.repeat(MAX_ID_BYTES / 2), 'order 7/Ä:🎉', '__proto__', '0']) {
    t.match(identifyJson(projectWebhook(order(), { event_id: id })), { event_id: id }, 'opaque text of 1 to 256 bytes is an id')
    t.match(identifyJson(set(order(), ['order', 'id'], id)), { subject: `order:${id}` })
  }
})

test('nothing says whose it is: not usable, and said so', async t => {
  for (const path of [['customer'], ['customer', 'id']]) {
    const nobody = set(set(set(award(), path, undefined), ['voucher', 'holder_id'], null), ['holder'], null)
    t.match(identifyJson(nobody), { reason: 'invalid_payload', detail: /customer/ })
    t.match(identifyJson(projectWebhook(nobody, { type: AWARD })), { reason: 'invalid_payload', detail: /customer/ })
    const noBuyer = set(set(set(order(), path, undefined), ['order', 'customer'], null), ['order', 'customer_id'], undefined)
    t.match(identifyJson(noBuyer), { reason: 'invalid_payload', detail: /customer/ })
  }
})

test('points are whole, exact and, where earned, not negative', async t => {
  const points = ['balance', 'points']
  for (const raw of ['1.5', '-1', '0.1', '1e-1', '9007199254740992', '9007199254740993', '1e16', '1e400', '-1e400', '"900"', 'null', 'true', '[900]', '{}']) {
    t.match(identifyText(withRaw(award(), points, raw)), { reason: 'invalid_payload', detail: /balance\.points/ }, raw)
    t.match(identifyText(withRaw(projectWebhook(award(), { type: AWARD }), ['data', ...points], raw)), { reason: 'invalid_payload', detail: /balance\.points/ }, raw)
  }
  t.match(identifyJson(set(award(), points, undefined)), { reason: 'invalid_payload' }, 'absent')
  for (const [raw, exact] of [['0', 0n], ['-0', 0n], ['1e3', 1000n], ['900.0', 900n], ['9007199254740991', 2n ** 53n - 1n]] as const) {
    const movement = factsOf(identified(withRaw(award(), points, raw)).body).find(fact => fact.fact === 'movement')
    t.equal(movement?.points, exact, raw)
  }
  for (const raw of ['1.5', '"900"', '[]', 'true', '{}']) {
    const [movement] = factsOf(identified(withRaw(award(), ['balance', 'balance'], raw)).body)
    t.match(movement, { points: 900n, reported_balance: null }, `a balance of ${raw} is none`)
    t.match(factsOf(identified(withRaw(order(), ['order', 'discount_amount'], raw)).body)[0], { discount_amount: null, status: 'PAID' }, `a discount of ${raw} is none`)
  }
  for (const raw of ['9007199254740992', '-1e16', '1e400']) {
    t.match(identifyText(withRaw(award(), ['balance', 'balance'], raw)), { reason: 'invalid_payload', detail: /balance\.balance/ }, `a balance of ${raw}`)
    for (const amount of ['amount', 'total_amount', 'discount_amount', 'total_discount_amount', 'initial_amount', 'items_discount_amount']) {
      t.match(identifyText(withRaw(order(), ['order', amount], raw)), { reason: 'invalid_payload', detail: new RegExp(`order\\.${amount}`) }, `${amount} of ${raw}`)
    }
  }
  const overdrawn = factsOf(identified(withRaw(award(), ['balance', 'balance'], '-9007199254740991')).body).find(fact => fact.fact === 'movement')
  t.equal(overdrawn?.reported_balance, -(2n ** 53n - 1n), 'a card can be overdrawn')
  const silent = factsOf(identified(set(award(), ['balance', 'balance'], undefined)).body).find(fact => fact.fact === 'movement')
  t.equal(silent?.reported_balance, null, 'no balance is no balance, not 0')
  t.match(factsOf(identified(withRaw(order(), ['order', 'amount'], '-5')).body)[0], { amount: -5n })
})

test('a time that does not exist counts as absent, and is refused where no other is', async t => {
  const dated = (data: JsonObject): string | null => identified(data).occurred_at
  for (const time of ['2024-02-30T00:00:00Z', '2024-03-11T13:20:39', '2024-03-11', 'soon', '', '2024-03-11T25:00:00Z', 1705591160, true, {}, []]) {
    const what = JSON.stringify(time)
    t.equal(dated(set(order(), ['order', 'updated_at'], time)), '2024-03-11T13:20:39.987000Z', `an order is dated by its creation, not by ${what}`)
    t.match(factsOf(identified(set(order(), ['order', 'created_at'], time)).body)[0], { created_at: null }, what)
    t.match(identifyJson(set(set(order(), ['order', 'created_at'], time), ['order', 'updated_at'], time)), { reason: 'invalid_payload', detail: /updated_at/ }, `only by ${what}`)
    t.match(identifyJson(set(award(), ['event', 'created_at'], time)), { reason: 'invalid_payload', detail: /created_at/ }, what)
    t.equal(dated(projectWebhook(award(), { type: AWARD, created_at: time })), '2024-01-18T15:19:20.676000Z', `an award is dated by its trigger, not by ${what}`)
    t.equal(dated(projectWebhook(set(award(), ['event', 'created_at'], time), { type: AWARD })), '2024-03-11T13:20:40.123456Z', what)
  }
  t.match(identifyJson(set(award(), ['event', 'created_at'], undefined)), { reason: 'invalid_payload', detail: /created_at/ }, 'an award needs one')
  const undated = set(set(order(), ['order', 'updated_at'], null), ['order', 'created_at'], undefined)
  t.match(identifyJson(undated), { reason: 'invalid_payload', detail: /updated_at/ }, 'so does a state of an order')
  t.match(identifyJson(projectWebhook(undated)), { occurred_at: '2024-03-11T13:20:40.123456Z' }, 'which its event can date')
  t.match(identifyJson(set(order(), ['order', 'updated_at'], null)), { event_id: /:PAID:2024-03-11T13:20:39\.987Z$/ }, 'or its creation')
})

test('a time may have spaces around it, a leap second, and any number of digits', async t => {
  for (const [written, read] of [
    [' 2024-03-11T13:20:39Z ', '2024-03-11T13:20:39.000000Z'], ['2024-03-11 13:20:39Z', '2024-03-11T13:20:39.000000Z'],
    ['2016-12-31T23:59:60Z', '2017-01-01T00:00:00.000000Z'], ['2017-01-01T00:59:60.25+01:00', '2017-01-01T00:00:00.250000Z'],
    ['2024-03-11T13:20:39.1234567891Z', '2024-03-11T13:20:39.123456Z'], [`2024-03-11T13:20:39.${'7'.repeat(40)}Z`, '2024-03-11T13:20:39.777777Z']
  ] as const) t.equal(identified(set(order(), ['order', 'updated_at'], written)).occurred_at, read, written)
  t.equal(identified(set(order(), ['order', 'updated_at'], '2024-03-11T13:20:61Z')).occurred_at, '2024-03-11T13:20:39.987000Z', 'a second too many')
})

test('a year that PostgreSQL does not have is no time', async t => {
  // Stored as an order's created_at it would stop the projection of its whole shard.
  for (const time of ['0000-01-01T00:00:00Z', '0000-12-31T23:59:59.999999Z', '0001-01-01T00:30:00+01:00', '9999-12-31T23:59:60Z']) {
    t.match(factsOf(identified(set(order(), ['order', 'created_at'], time)).body)[0], { created_at: null }, time)
    t.match(identifyJson(projectWebhook({}, { type: 'no.such.type', created_at: time })), { occurred_at: null }, time)
  }
  t.match(identifyJson(set(order(), ['order', 'updated_at'], '0001-01-01T00:00:00Z')), { occurred_at: '0001-01-01T00:00:00.000000Z' })
})

test('why a body is not JSON is told in text that can be stored', async t => {
  for (const text of ['\u0000', '\u0000\u0000', '{"a":1}\u0000', '{"a":\u0000}', '{"a":"\u0000"}', 'x\u0000']) {
    const result = identifyText(text)
    t.match(result, { reason: 'not_json' })
    t.notMatch('detail' in result ? result.detail : '\u0000', '\u0000', JSON.stringify(text))
  }
})

test('text that PostgreSQL cannot hold is told in a form that it can', async t => {
  const odd = 'a\u0000b\ud800c'
  const data = set(set(set(award(), ['customer', 'name'], odd), ['voucher', 'campaign'], odd), ['order', 'metadata'], { [odd]: odd })
  data.holder = null
  const facts = factsOf(identified(data).body)
  t.match(facts.find(fact => fact.fact === 'customer'), { fields: { name: 'a\ufffdb\ufffdc' } })
  t.match(facts.find(fact => fact.fact === 'card'), { fields: { campaign: 'a\ufffdb\ufffdc' } })
  t.match(facts.find(fact => fact.fact === 'order'), { metadata: '{"a\ufffdb\ufffdc":"a\ufffdb\ufffdc"}' }, 'inside JSON too, or ->> in a report would fail')
  t.equal(identified(data).body, JSON.stringify(data), 'the evidence is untouched')
})

// What may stand where something else is expected: as JSON text, since some of it is nothing that JavaScript can hold.
const hostile = fc.oneof(
  fc.constantFrom(
    'null', 'true', 'false', '0', '-0', '-1', '1.5', '900', '9007199254740993', '1e400', '-1e400', '""', '"x"', '"0"', '"900"',
    '"\\u0000"', '"a\\ud800"', '"\\udc00"', '"\\u001e"', '"\\u001f"', '"2024-02-30T00:00:00Z"', '"2024-01-18T15:19:20"', '"9999-12-31T23:59:59.999999Z"', '"0001-01-01T00:00:00Z"',
    '"evcus_000000000000000000"', '[]', '{}', '[null]', '{"id":5}', '{"id":"x"}', '{"id":null}', '{"object":"order"}',
    '{"__proto__":{"polluted":1}}', '{"constructor":{"prototype":{"polluted":1}}}', '{"toString":1,"valueOf":2,"length":-1}', `"${'x'.repeat(10_240)}"`, `${'['.repeat(120)}${']'.repeat(120)}`
  ),
  fc.json({ maxDepth: 3 })
)

const wrappings: Array<(data: JsonObject, type: string) => JsonObject> = [
  data => data,
  (data, type) => projectWebhook(data, { type }),
  (data, type) => distribution(data, { type }),
  (data, type) => campaignNotification(data, { type }),
  (data, type) => v2018(data, { type }),
  (data, type) => v2018(archivedOrder(data), { type })
]

/** A seed in a wrapping, of which any one or two leaves or subtrees are replaced or removed. */
const mutants = fc.constantFrom(...[award, order].flatMap(data => wrappings.map(wrap => () => wrap(data(), data === award ? AWARD : PAID))))
  .chain(make => {
    const paths = pathsOf(make())
    const change = fc.tuple(fc.constantFrom(...paths), fc.option(hostile, { freq: 8 }))
    return fc.array(change, { minLength: 1, maxLength: 2 }).map(changes => mutate(make(), changes))
  })

function mutate (json: JsonObject, changes: ReadonlyArray<[path: Array<string | number>, raw: string | null]>): string {
  const raws: string[] = []
  for (const [path, raw] of changes) {
    if (!path.slice(0, -1).every((_key, depth) => isContainer(at(json, path.slice(0, depth + 1))))) continue
    set(json, path, raw === null ? undefined : `\u2603${raws.push(raw) - 1}`)
  }
  return raws.reduce((text, raw, index) => text.replace(`"\u2603${index}"`, () => raw), JSON.stringify(json))
}

function at (json: Json | undefined, path: ReadonlyArray<string | number>): Json | undefined {
  return path.reduce<Json | undefined>((part, key) => isContainer(part) ? (part as JsonObject)[key] : undefined, json)
}

function isContainer (value: Json | undefined): boolean {
  return isObject(value) || Array.isArray(value)
}

/**
 * Keys are joined by control characters on the way to the database, and indexed: 2.7 kB is the most an index entry
 * takes.
 */
function assertStorable (delivery: IdentifiedDelivery, text: string): void {
  const { event_id, subject, type, customer_id, shard_key, send_out_id, sender_kind, sender_id, group_id, project_id, channel } = delivery
  for (const field of [event_id, subject, type, shard_key, customer_id, send_out_id, sender_kind, sender_id, group_id, project_id, channel]) {
    if (field === null) continue
    // eslint-disable-next-line no-control-regex -- control characters are what is looked for
    assert.ok(field.length > 0 && field.isWellFormed() && !/[\u0000-\u001f\u007f]/.test(field), JSON.stringify(field))
  }
  assert.ok(Buffer.byteLength(event_id + subject) < 2000)
  assert.ok(delivery.occurred_at === null || INSTANT.test(delivery.occurred_at), delivery.occurred_at ?? '')
  assert.match(delivery.fact_digest, DIGEST)
  assert.equal(delivery.body, text, 'the evidence is verbatim')
}

const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z$/
const DIGEST = /^[0-9a-f]{64}$/

function assertTellable (fact: Fact): void {
  for (const [name, value] of Object.entries({ ...plain(fact), ...('fields' in fact ? fact.fields : {}) }) as Array<[string, unknown]>) {
    if (name === 'fields') continue
    if (typeof value === 'bigint') assert.ok(value >= -(2n ** 53n) && value <= 2n ** 53n, name)
    if (typeof value === 'number') assert.ok([1, 2, 3].includes(value), name)
    if (typeof value === 'string') assert.ok(value.isWellFormed() && !value.includes('\u0000'), name)
    if (/_at$/.test(name) && value !== null) assert.ok(typeof value === 'string' && INSTANT.test(value), name)
    if (/_id$/.test(name) && name !== 'source_id' && value !== null) assert.ok(typeof value === 'string' && value.length > 0 && Buffer.byteLength(value) < 2000, name)
    if ((name === 'metadata' || name === 'items') && typeof value === 'string') assert.doesNotThrow(() => { JSON.parse(value) }, name)
    assert.notEqual(value, undefined, name)
  }
}

test('whatever one or two fields of a real payload are replaced by, it is identified or refused with a reason, and tells its facts', async t => {
  const outcomes = new Map<string, number>()
  always(t, fc.property(mutants, text => {
    const result = identifyText(text)
    assert.deepEqual(identifyText(text), result, 'the same bytes are the same delivery')
    outcomes.set('reason' in result ? result.reason : 'identified', (outcomes.get('reason' in result ? result.reason : 'identified') ?? 0) + 1)
    if ('reason' in result) {
      assert.match(result.reason, /^(too_deep|unidentified|invalid_payload)$/)
      assert.ok(result.detail.length > 10 && result.detail.length < 500 && !result.detail.includes('\u0000'), result.detail)
      return
    }
    assertStorable(result, text)
    // A test delivery need not have the fields of a real one, and is never projected.
    if (!result.test) factsOf(result.body).forEach(assertTellable)
  }))
  t.equal(({} as { polluted?: unknown }).polluted, undefined)
  for (const outcome of ['identified', 'unidentified', 'invalid_payload']) t.ok((outcomes.get(outcome) ?? 0) > 0, `${outcome}: ${outcomes.get(outcome) ?? 0}`)
})

test('any one field of a real payload can be of any wrong type', async t => {
  const wrong: Array<[type: string, raw: string]> = [['null', 'null'], ['boolean', 'true'], ['number', '-1.5'], ['string', '"\\u0000"'], ['array', '[[]]'], ['object', '{"x":{}}']]
  let tried = 0
  for (const [make, type] of [[award, AWARD], [order, PAID]] as const) {
    for (const wrap of wrappings) {
      for (const path of pathsOf(wrap(make(), type))) {
        for (const [, raw] of wrong) {
          const text = withRaw(wrap(make(), type), path, raw)
          const result = identifyText(text)
          tried++
          if ('reason' in result ? result.detail === '' : (assertStorable(result, text), factsOf(result.body).forEach(assertTellable), false)) t.fail(`${path.join('.')} = ${raw}`)
        }
      }
    }
  }
  t.ok(tried > 5000, `${tried} payloads`)
})

test('any bytes at all are refused or identified, never thrown at', async t => {
  always(t, fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.json().map(text => new TextEncoder().encode(text))), bytes => {
    const result = identify(Buffer.from(bytes))
    assert.ok('reason' in result && result.detail !== '')
  }))
  // A real body with a few bytes changed.
  const bytes = Buffer.from(texts.award)
  always(t, fc.property(fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 3 }), changes => {
    const changed = Buffer.from(bytes)
    for (const [index, byte] of changes) changed[index] = byte
    const result = identify(changed)
    if ('reason' in result) return assert.notEqual(result.detail, '')
    assertStorable(result, changed.toString())
    factsOf(result.body).forEach(assertTellable)
  }))
})

test('any JSON as the data or the event of an envelope is refused or identified', async t => {
  const any = hostile.map(raw => JSON.parse(raw.includes('1e400') ? 'null' : raw) as Json)
  const types = fc.constantFrom<Json>(AWARD, PAID, 'customer.created', 'voucher.loyalty_card.pending_points.added', 'x', '', null, 7, [])
  always(t, fc.property(any, any, any, types, fc.constantFrom(projectWebhook, distribution, v2018), (data, event, source, type, wrap) => {
    const body = wrap(data, { type })
    for (const text of [JSON.stringify(body), JSON.stringify({ ...body, source }), JSON.stringify({ ...body, event: isObject(event) ? { id: 'ev_1', type, ...event } : event })]) {
      const result = identifyText(text)
      if ('reason' in result) {
        assert.ok(result.detail !== '')
        continue
      }
      assertStorable(result, text)
      if (!result.test) factsOf(result.body).forEach(assertTellable)
    }
  }))
})

import { test } from 'tap'
import type { Differences } from '../../../src/providers/provider.ts'
import { differencesBetween } from '../../../src/providers/voucherify/differences.ts'
import { awardData, enveloped, orderData } from '../../support/deliveries.ts'

function between (stored: object | string, received: object | string): Differences {
  const [before, after] = [stored, received].map(version => Buffer.from(typeof version === 'string' ? version : JSON.stringify(version)))
  const differences = differencesBetween(before as Buffer, after as Buffer)
  if (differences === undefined) throw new Error('nothing to compare')
  return differences
}

test('a fact and the field it was read from, with both values', t => {
  t.same(between(enveloped(awardData({ points: 7, balance: 7 })), enveloped(awardData({ points: 70, balance: 7 }))), {
    facts: [{ path: 'points', stored: '7', received: '70' }],
    fields: [
      { path: 'data.balance.points', stored: '7', received: '70' },
      { path: 'data.balance.total', stored: '7', received: '70' }
    ],
    more_fields: 0
  })
  t.end()
})

test('what wraps a payload for sending is no difference, whatever the shape', t => {
  const data = awardData({ points: 7, at: '2026-01-01T10:00:01.000Z' })
  const nothing = { facts: [], fields: [], more_fields: 0 }
  t.same(between(data, enveloped(data)), nothing, 'stored bare, received enveloped')
  t.same(between(enveloped(data), enveloped(data, { sendOut: 'whs_2', source: 'distribution', type: 'my own name' })), nothing)
  t.match(between(data, enveloped({ ...data, publication: { id: 'pub_1' } })).fields, [{ path: 'data.publication', stored: 'absent', received: '{"id":"pub_1"}' }])
  t.end()
})

test('an absent value is not a null, and neither is the word', t => {
  const data = (fields: object): object => enveloped({ ...orderData(), order: { ...orderData().order, ...fields } }, { eventType: 'customer.order.paid' })
  t.match(between(data({ amount: undefined }), data({ amount: null })), { facts: [], fields: [{ path: 'data.order.amount', stored: 'absent', received: 'null' }] })
  t.match(between(data({}), data({ note: 'absent' })).fields, [{ path: 'data.order.note', stored: 'absent', received: '"absent"' }])
  t.match(between(data({ items: [{ price: 1 }] }), data({ items: [{ price: 1 }, { price: 2 }] })).fields, [{ path: 'data.order.items[1]', stored: 'absent', received: '{"price":2}' }])
  t.match(between(data({ amount: 5 }), data({ amount: '5' })).fields, [{ path: 'data.order.amount', stored: '5', received: '"5"' }])
  t.end()
})

test('descriptions differ as fields, not as facts; key order not at all', t => {
  const described = { ...awardData(), customer: { ...awardData().customer, name: 'Grace' } }
  t.match(between(awardData(), described), { facts: [], fields: [{ path: 'data.customer.name', stored: '"Ada"', received: '"Grace"' }] })
  const turned = Object.fromEntries(Object.entries(awardData()).reverse())
  t.same(between(awardData(), turned).fields, [])
  t.match(between(awardData(), awardData({ customer: 'cust_2' })).facts, [
    { path: 'holder', stored: '"cust_1"', received: '"cust_2"' }
  ])
  t.end()
})

test('strange keys and long values stay readable', t => {
  const meta = (metadata: string): string => JSON.stringify(orderData()).replace('"metadata":{},"created_at"', `"metadata":${metadata},"created_at"`)
  t.match(between(meta('{}'), meta('{"__proto__":{"a":1},"two words":2}')).fields, [
    { path: 'data.order.metadata.__proto__', stored: 'absent', received: '{"a":1}' },
    { path: 'data.order.metadata["two words"]', stored: 'absent', received: '2' }
  ])
  const long = (end: string): object => ({ ...orderData(), note: `${'x'.repeat(5000)}${end}${'y'.repeat(5000)}` })
  const [difference] = between(long('A'), long('B')).fields
  t.match(difference, { stored: /^…x{40}Ay{159}…$/, received: /^…x{40}By{159}…$/ })
  t.end()
})

test('a list of differences ends, and says how many more there are', t => {
  const many = (value: number): object => ({ ...orderData(), list: Array.from({ length: 1000 }, () => value) })
  const { fields, more_fields } = between(many(1), many(2))
  t.equal(fields.length, 200)
  t.equal(more_fields, 800)
  t.end()
})

test('of types that are not read the told ids and amounts are facts; what is not JSON has nothing to compare', t => {
  const unread = (amount: number): object => enveloped({ transaction: { id: 'vtx_1', amount } }, { eventType: 'something.new' })
  t.match(between(unread(5), unread(500)), {
    facts: [{ path: 'transaction.amount', stored: '"5"', received: '"500"' }],
    fields: [{ path: 'data.transaction.amount', stored: '5', received: '500' }]
  })
  t.equal(differencesBetween(Buffer.from('{}'), Buffer.from('not json')), undefined)
  t.equal(differencesBetween(Buffer.from([0xff]), Buffer.from('{}')), undefined)
  t.end()
})

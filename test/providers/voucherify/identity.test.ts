import { fc } from '../../support/chance.ts'
import { test } from 'tap'
import type { IdentifiedDelivery } from '../../../src/providers/provider.ts'
import { factsOf } from '../../../src/providers/voucherify/identify.ts'
import type { Json, JsonObject } from '../../../src/providers/voucherify/wire/json.ts'
import { always } from '../../ledger/property.ts'
import {
  archivedOrder, award, AWARD, campaignNotification, distribution, identified, identifyJson, order, PAID, plain, projectWebhook, set, texts, v2018
} from './payloads.ts'

const CARD = 'v_hjQhSsitD6lAATASbRV1Ef7dUCjpy0iw'
const RULE = 'ern_FQxftbKUq9E93k00Z3qkC0sX'
const TRIGGER = 'evcus_0e2905d4db185a04ad'
const JACK = 'cust_IdgAFZxYwwHctOk9pPuMu308'
const ALEX = 'cust_ufwK2qUNGDYxa1aji7XKzuHm'
const ORDER = 'ord_au8U64mPX6fIArsf6UVLS8u5'

function keyOf ({ event_id, subject }: IdentifiedDelivery): string {
  return `${event_id} about ${subject}`
}

test('given the real award as it is, then it is named by trigger, rule and card', async t => {
  const { fact_digest, ...delivery } = identified(texts.award)
  t.match(fact_digest, /^[0-9a-f]{64}$/)
  t.strictSame(delivery, {
    event_id: TRIGGER,
    subject: `award:${RULE}:${CARD}`,
    type: AWARD,
    customer_id: JACK,
    shard_key: JACK,
    occurred_at: '2024-01-18T15:19:20.676000Z',
    test: false,
    send_out_id: null,
    sender_kind: null,
    sender_id: null,
    group_id: null,
    project_id: null,
    channel: null,
    body: texts.award
  })
})

test('given the real award, then it tells an accrual, a card as it was before, a customer and the order in it', async t => {
  const [movement, card, snapshot, customer, orderInside, ...rest] = factsOf(texts.award)
  t.strictSame(rest, [])
  t.strictSame(movement, {
    fact: 'movement',
    movement_id: `award:${TRIGGER}:${RULE}:${CARD}`,
    card_id: CARD,
    source_rank: 1,
    kind: 'accrual',
    points: 900n,
    reported_balance: 900n,
    occurred_at: '2024-01-18T15:19:20.676000Z',
    order_id: 'ord_CkH2s0T5xJkK0x5pGYXoBaFn',
    earning_rule_id: RULE,
    holder_id: JACK,
    details: '{"trigger_type":"customer.order.paid"}'
  })
  t.strictSame(card, {
    fact: 'card',
    card_id: CARD,
    occurred_at: '2024-01-18T15:19:20.676000Z',
    fields: { code: 'L0y4L', campaign_id: 'camp_AQZ1GLRlbGaC2dETd31VbJQ9', campaign: 'Loyalty programme', active: 'true' },
    holder_id: JACK
  })
  t.strictSame(snapshot, { fact: 'snapshot', card_id: CARD, balance: 0n, pending: null, occurred_at: '2024-01-18T15:19:26.501570Z' })
  t.strictSame(customer, {
    fact: 'customer',
    customer_id: JACK,
    occurred_at: '2024-01-18T15:19:20.676000Z',
    fields: { source_id: 'jck-wbhk', name: 'Jack Webhook', email: null, metadata: '{"region":"EMEA"}' }
  })
  t.match(orderInside, {
    fact: 'order',
    order_id: 'ord_CkH2s0T5xJkK0x5pGYXoBaFn',
    customer_id: JACK,
    source_id: null,
    status: 'PAID',
    amount: 50000n,
    initial_amount: null,
    discount_amount: 5000n,
    items_discount_amount: null,
    total_discount_amount: 5000n,
    total_amount: 45000n,
    metadata: '{"card":["Other"],"currency":"USD","region":"US"}',
    created_at: '2024-01-18T15:19:20.675043Z',
    updated_at: '2024-01-18T15:19:20.731920Z',
    state_digest: /^[0-9a-f]{64}$/
  })
  const wrapped = factsOf(JSON.stringify(projectWebhook(award(), { event_id: 'ev_1', type: AWARD })))
  t.match(wrapped[0], { movement_id: `award:${TRIGGER}:${RULE}:${CARD}`, source_rank: 2, occurred_at: '2024-03-11T13:20:40.123456Z' },
    'in an envelope it is the same movement, better told')
})

test('given the real order as it is, then its key is its state', async t => {
  const delivery = identified(texts.order)
  t.match(delivery, {
    event_id: `order:${ORDER}:PAID:2024-03-11T13:20:39.988Z`,
    subject: `order:${ORDER}`,
    type: PAID,
    customer_id: ALEX,
    shard_key: ALEX,
    occurred_at: '2024-03-11T13:20:39.988000Z',
    test: false,
    body: texts.order
  })
  const [state, customer] = factsOf(texts.order)
  t.match(state, { fact: 'order', order_id: ORDER, status: 'PAID', customer_id: ALEX, amount: 10000n, discount_amount: null, total_amount: 10000n })
  t.match(customer, { fact: 'customer', customer_id: ALEX, fields: { source_id: '4l3x-d03', name: 'Alex Doe', email: null } })

  const types: Array<[status: string, type: string]> = [
    ['CREATED', 'customer.order.created'], ['PAID', PAID], ['CANCELED', 'customer.order.canceled'], ['FULFILLED', 'customer.order.updated']
  ]
  for (const [status, type] of types) {
    t.match(identified(set(order(), ['order', 'status'], status)), { type, event_id: `order:${ORDER}:${status}:2024-03-11T13:20:39.988Z` })
  }
  t.not(keyOf(identified(set(order(), ['order', 'updated_at'], '2024-03-11T13:20:39.989Z'))), keyOf(delivery), 'a later state is another event')
})

test('one order event, however it is wrapped, keeps its identity', async t => {
  const named = { event_id: 'evcus_0f1', type: PAID, subject: `order:${ORDER}`, customer_id: ALEX, shard_key: ALEX, occurred_at: '2024-03-11T13:20:39.988000Z', test: false }
  const inNames = { project_id: 'proj_1', group_id: 'v-0f1', channel: 'API' }
  t.match(identified(projectWebhook(order())), { ...named, ...inNames, send_out_id: 'whs_1', sender_kind: 'webhook', sender_id: 'wh_1' })
  for (const freeText of ['Tell the shop!', '', AWARD, 'customer.created']) {
    t.match(identified(distribution(order(), {}, freeText)), { ...named, ...inNames, send_out_id: 'whs_2', sender_kind: 'distribution', sender_id: 'ds_1' },
      `a top-level type ${JSON.stringify(freeText)} says nothing`)
  }
  t.match(identified(campaignNotification(order())), { ...named, sender_kind: 'distribution' })
  t.match(identified(v2018(order())), { ...named, send_out_id: 'wh_old', sender_kind: 'webhook', sender_id: null, project_id: 'proj_1', group_id: null, channel: null })
  t.match(identified(v2018(archivedOrder(order()))), named, 'with the object and its related object in the old way')

  const ways = [projectWebhook(order()), distribution(order()), campaignNotification(order()), v2018(order()), v2018(archivedOrder(order()))]
  t.equal(new Set(ways.map(way => keyOf(identified(way)))).size, 1)
  t.equal(new Set(ways.map(way => identified(way).fact_digest)).size, 1)
  t.equal(identified(order()).fact_digest, identified(projectWebhook(order())).fact_digest, 'bare, it tells the same facts')
  for (const way of ways) t.strictSame(factsOf(JSON.stringify(way)).map(plain), factsOf(texts.order).map(plain), 'whatever the wrapping')

  const typeless = projectWebhook(order())
  delete typeless.type
  t.match(identified(typeless), named)
})

test('one award, wrapped, is named by its own event, not by what triggered it', async t => {
  const wrapped = { event_id: 'evcus_of_the_award', type: AWARD }
  const ways = [projectWebhook(award(), wrapped), distribution(award(), wrapped), campaignNotification(award(), wrapped), v2018(award(), wrapped)]
  for (const way of ways) t.match(identified(way), { event_id: 'evcus_of_the_award', subject: `award:${RULE}:${CARD}`, type: AWARD, customer_id: JACK })
  t.equal(new Set(ways.map(way => identified(way).fact_digest)).size, 1)
})

test('the same event by two sources is one: extra fields and another key order change neither key nor facts', async t => {
  // Unknown fields and any order of keys: what a second sender may do to the same data.
  const disturbed = (json: JsonObject): fc.Arbitrary<Json> => fc.infiniteStream(fc.tuple(fc.nat(), fc.boolean())).map(choices => {
    const disturb = (value: Json | undefined, observed = false): Json => {
      if (Array.isArray(value)) return value.map(item => disturb(item))
      if (typeof value !== 'object' || value === null) return value ?? null
      const [at, more] = choices.next().value ?? [0, false]
      const entries = Object.entries(value).map(([key, part]): [string, Json] => [key, disturb(part, key === 'metadata')])
      const cut = entries.length === 0 ? 0 : at % entries.length
      const turned = [...entries.slice(cut), ...entries.slice(0, cut)]
      // The merchant's own metadata is told, key by key: no sender adds to it.
      return Object.fromEntries(more && !observed ? [['x_more', { x: [1] }], ...turned] : turned)
    }
    return disturb(json)
  })
  for (const [data, type] of [[award, AWARD], [order, PAID]] as const) {
    const first = identified(projectWebhook(data(), { type }))
    const bare = identified(data())
    always(t, fc.property(disturbed(data()), fc.constantFrom(0, 2), (again, indent) => {
      const second = identified(JSON.stringify(distribution(again, { type }), null, indent))
      const third = identified(JSON.stringify(again, null, indent))
      for (const [got, expected] of [[second, first], [third, bare]] as const) {
        if (keyOf(got) !== keyOf(expected)) throw new Error(`another key: ${keyOf(got)}`)
        if (got.fact_digest !== expected.fact_digest) throw new Error('other facts')
        if (got.shard_key !== expected.shard_key) throw new Error('another shard')
      }
    }), 200)
    t.not(identified(distribution(data(), { type })).body, first.body, 'the text is another, and kept')
  }
})

test('other facts under the same key show in the digest', async t => {
  const seeds: Array<[string, () => JsonObject, Array<[Array<string | number>, Json]>]> = [
    [AWARD, award, [[['balance', 'points'], 901], [['balance', 'balance'], 901], [['balance', 'balance'], null], [['voucher', 'holder_id'], 'cust_2']]],
    [PAID, order, [[['order', 'amount'], 10001], [['order', 'total_amount'], 9999], [['order', 'discount_amount'], 1], [['order', 'total_discount_amount'], 1], [['order', 'status'], 'CANCELED']]]
  ]
  for (const [type, data, changes] of seeds) {
    const stored = identified(projectWebhook(data(), { type }))
    for (const [path, value] of changes) {
      const other = identified(projectWebhook(set(data(), path, value), { type }))
      t.equal(keyOf(other), keyOf(stored))
      t.not(other.fact_digest, stored.fact_digest, `${path.join('.')} = ${JSON.stringify(value)}`)
    }
  }
  // The parts of a digest are told apart: no text can move from one into the next.
  const [a, b] = ['1', '11'].map(rule => identified(set(set(award(), ['earning_rule', 'id'], rule), ['voucher', 'id'], rule === '1' ? '11' : '1')))
  t.not(a?.fact_digest, b?.fact_digest)
})

test('two awards of one order that share data.event.id are two, by rule and by card', async t => {
  const one = identified(award())
  const otherRule = identified(set(award(), ['earning_rule', 'id'], 'ern_2'))
  const otherCard = identified(set(award(), ['voucher', 'id'], 'v_2'))
  t.equal(new Set([one, otherRule, otherCard].map(delivery => delivery.event_id)).size, 1)
  t.equal(new Set([one, otherRule, otherCard].map(keyOf)).size, 3)
  const movements = [award(), set(award(), ['earning_rule', 'id'], 'ern_2'), set(award(), ['voucher', 'id'], 'v_2'), set(award(), ['event', 'id'], 'evcus_2')]
    .map(data => factsOf(JSON.stringify(data)).flatMap(fact => fact.fact === 'movement' ? [fact.movement_id] : []))
  t.strictSame(new Set(movements.flat()).size, 4, 'and as many movements')
})

test('a holder is the card\'s, before the customer of the order', async t => {
  t.match(identified(set(award(), ['voucher', 'holder_id'], 'cust_holder')), { customer_id: 'cust_holder' })
  t.match(identified(set(set(award(), ['voucher', 'holder_id'], null), ['holder', 'id'], 'cust_holder')), { customer_id: 'cust_holder' })
  const buyer = set(set(award(), ['voucher', 'holder_id'], undefined), ['holder'], undefined)
  t.match(identified(set(buyer, ['customer', 'id'], 'cust_buyer')), { customer_id: 'cust_buyer' })
  const people = factsOf(JSON.stringify(set(award(), ['holder', 'id'], 'cust_other'))).flatMap(fact => fact.fact === 'customer' ? [fact.customer_id] : [])
  t.strictSame(new Set(people), new Set([JACK, 'cust_other']))

  const card = set(award(), ['voucher', 'id'], undefined)
  t.match(identified(card), { subject: `award:${RULE}:${CARD}` }, 'the balance names its card too')
  t.match(identifyJson(set(card, ['balance', 'related_object', 'type'], 'customer')), { reason: 'invalid_payload', detail: /voucher\.id/ })
  t.match(identified(set(order(), ['order', 'customer_id'], undefined)), { customer_id: ALEX })
  t.match(identified(set(set(order(), ['order', 'customer_id'], null), ['order', 'customer'], null)), { customer_id: ALEX })
  t.match(identified(set(set(order(), ['order', 'customer_id'], null), ['order', 'customer', 'id'], 'cust_buyer')), { customer_id: 'cust_buyer' }, 'whom the order names, before the customer beside it')
})

test('two states of an order are one when every field agrees, in whatever key order', async t => {
  const digestOf = (data: JsonObject): string | undefined => factsOf(JSON.stringify(data)).flatMap(fact => fact.fact === 'order' ? [fact.state_digest] : [])[0]
  const seen = digestOf(order())
  const turned = order()
  turned.order = Object.fromEntries(Object.entries(turned.order as JsonObject).reverse())
  t.equal(digestOf(turned), seen)
  t.equal(digestOf(set(order(), ['order', 'summary'], 'unread')), seen, 'what we do not read says nothing')
  const changes: Array<[field: string, value: Json]> = [
    ['id', 'ord_2'], ['customer_id', 'cust_2'], ['source_id', 'shop-1'], ['status', 'CANCELED'], ['amount', 1], ['initial_amount', 1], ['discount_amount', 0],
    ['items_discount_amount', 0], ['total_discount_amount', 0], ['total_amount', 1], ['items', []], ['metadata', {}],
    ['created_at', '2024-03-11T13:20:39.986Z'], ['updated_at', '2024-03-11T13:20:39.988001Z']
  ]
  const digests = changes.map(([field, value]) => digestOf(set(order(), ['order', field], value)))
  t.equal(new Set([seen, ...digests]).size, changes.length + 1, 'each field counts, and nothing said is not nought')
})

test('bare data is named by what it is about, and what nothing names is quarantined', async t => {
  const card = { id: 'v_1', holder_id: ALEX, type: 'LOYALTY_CARD' }
  const lot = { id: 'lopp_1', voucher_id: 'v_1', points: 5, created_at: '2024-03-11T13:20:40.000Z' }
  const row = { id: 'vtx_1', type: 'POINTS_ADDITION', created_at: '2024-03-11T13:20:40.000Z' }
  const spent = { id: 'r_1', date: '2024-03-11T13:20:40.000Z', amount: 5 }
  const named: Array<[data: JsonObject, event_id: string, subject: string, type: string]> = [
    [{ ...order(), holder: { id: ALEX }, voucher: card, redemption: spent, promotion_tier: null, promotion_stack: null, referrer: undefined },
      'redemption:r_1', 'redemption:r_1', 'customer.redemption.succeeded'],
    [{ ...order(), promotion_stack: { id: 'stack_1' }, redemption: spent, voucher: null, holder: null, referrer: undefined },
      'redemption:r_1', 'redemption:r_1', 'customer.redemption.succeeded'],
    [{ holder: { id: ALEX }, voucher: card, redemption: spent, reward: { id: 'rew_1' }, balance: null }, 'rewarded:r_1', 'redemption:r_1', 'customer.rewarded'],
    [{ holder: { id: ALEX }, voucher: card, redemption: spent, redemption_rollback: { ...spent, id: 'rr_1', amount: -5 } },
      'rollback:rr_1', 'rollback:rr_1', 'customer.redemption.rollback.succeeded'],
    [{ voucher: card, reward_redemption: { id: 'rewr_1', source_id: 'r_1', source_type: 'redemption', state: 'PENDING', created_at: '2024-03-11T13:20:40.000Z' }, balance: null },
      'reward_redemption:rewr_1:PENDING', 'reward_redemption:rewr_1', 'customer.reward_redemptions.pending'],
    [{ ...order(), referrer: undefined, redemption: undefined, voucher: card, voucher_pending_points_balance: { points: 5 }, pending_points: lot },
      'pending:lopp_1:added:2024-03-11T13:20:40.000Z', 'pending:lopp_1:added', 'customer.voucher.loyalty_card.pending_points.added'],
    [{ ...order(), redemption: undefined, voucher: card, balance: { points: 5 }, transaction: row, pending_points: lot },
      'transaction:vtx_1', 'transaction:vtx_1', 'customer.voucher.loyalty_card.pending_points.activated'],
    [{ voucher: card, balance: { points: 5 }, transaction: row }, 'transaction:vtx_1', 'transaction:vtx_1', 'customer.voucher.loyalty_card.points_added'],
    [{ voucher: card, points: 5, buckets: [], transaction: row }, 'transaction:vtx_1', 'transaction:vtx_1', 'customer.voucher.loyalty_card.points_expired']
  ]
  for (const [data, event_id, subject, type] of named) t.match(identified(data), { event_id, subject, type }, type)

  const nameless: Array<[what: string, data: JsonObject, reason: string]> = [
    ['a redemption without an id', { holder: { id: ALEX }, voucher: card, redemption: { amount: 5 } }, 'invalid_payload'],
    ['a redemption that failed', { ...order(), holder: null, voucher: null, redemption: null, referrer: undefined }, 'unidentified'],
    ['a stack that failed', { ...order(), promotion_stack: { id: 'stack_1' }, redemption: null, referrer: undefined }, 'unidentified'],
    ['a tier', { customer: { id: ALEX }, campaign: { id: 'camp_1' }, loyalty_tier: { id: 'ltr_1' }, created_at: '2024-03-11T13:20:40.000Z' }, 'unidentified'],
    ['a customer', { customer: { id: ALEX } }, 'unidentified'],
    ['an envelope without its event', { ...projectWebhook(order()), event: null }, 'unidentified'],
    ['nothing', {}, 'unidentified']
  ]
  for (const [what, data, reason] of nameless) t.match(identifyJson(data), { reason, detail: /./ }, what)
})

// Of every event in provider facts §6: what it carries, and what it is about.
const voucher = { id: 'v_1', holder_id: 'cust_1', type: 'LOYALTY_CARD' }
const transaction = { id: 'vtx_1', type: 'POINTS_ADDITION' }
const pending_points = { id: 'lopp_1', points: 5 }
const loyalty_tier = { id: 'ltr_1', name: 'Gold' }
const campaign = { id: 'camp_1', name: 'Points' }
const redemption = { id: 'r_1', amount: 5 }
const carries: Array<[types: string[], data: JsonObject, subject: string]> = [
  [['voucher.loyalty_card.transaction.created'], { transaction, voucher, redemption, rollback: { id: 'rr_1' }, earning_rule: { id: 'ern_1' }, event: { id: 'ev_0' } }, 'transaction:vtx_1'],
  [['voucher.loyalty_card.points_added', 'customer.voucher.loyalty_card.points_added'], { voucher, balance: { points: -5 }, transaction }, 'transaction:vtx_1'],
  [['voucher.loyalty_card.points_expired', 'customer.voucher.loyalty_card.points_expired'], { voucher, points: 5, buckets: [{ id: 'lopb_1' }], transaction }, 'transaction:vtx_1'],
  [['voucher.loyalty_card.pending_points.activated', 'customer.voucher.loyalty_card.pending_points.activated'], { voucher, transaction, pending_points }, 'transaction:vtx_1'],
  [['voucher.loyalty_card.pending_points.activated', 'customer.voucher.loyalty_card.pending_points.activated'], { voucher, pending_points }, 'pending:lopp_1:activated'],
  [['voucher.loyalty_card.pending_points.added', 'customer.voucher.loyalty_card.pending_points.added'], { voucher, pending_points }, 'pending:lopp_1:added'],
  [['voucher.loyalty_card.pending_points.updated', 'customer.voucher.loyalty_card.pending_points.updated'], { voucher, pending_points }, 'pending:lopp_1:updated'],
  [['voucher.loyalty_card.pending_points.canceled', 'customer.voucher.loyalty_card.pending_points.canceled'], { voucher, pending_points }, 'pending:lopp_1:canceled'],
  [['redemption.succeeded', 'customer.redemption.succeeded'], { voucher, redemption, order: { id: 'ord_1' } }, 'redemption:r_1'],
  [['redemption.rollback.succeeded', 'customer.redemption.rollback.succeeded'], { voucher, redemption, redemption_rollback: { id: 'rr_1' } }, 'rollback:rr_1'],
  [['customer.rewarded'], { voucher, redemption, balance: null }, 'redemption:r_1'],
  [['customer.reward_redemptions.created', 'customer.reward_redemptions.pending', 'customer.reward_redemptions.completed'], { voucher, reward_redemption: { id: 'rewr_1' }, balance: null }, 'reward_redemption:rewr_1'],
  [['customer.created', 'customer.updated', 'customer.deleted'], { customer: { id: 'cust_1' } }, 'customer:cust_1'],
  [['customer.loyalty.tier.joined', 'customer.loyalty.tier.left', 'customer.loyalty.tier.prolonged'], { campaign, loyalty_tier }, 'tier:ltr_1'],
  [['customer.loyalty.tier.upgraded', 'customer.loyalty.tier.downgraded'], { campaign, loyalty_tier_from: { id: 'ltr_0' }, loyalty_tier_to: loyalty_tier }, 'tier:ltr_1'],
  [['voucher.created', 'voucher.updated', 'voucher.published', 'voucher.enabled', 'voucher.disabled', 'voucher.deleted'], { voucher }, 'card:v_1'],
  [['customer.order.created', 'customer.order.updated', PAID, 'customer.order.canceled'], order(), `order:${ORDER}`],
  [[AWARD], award(), `award:${RULE}:${CARD}`],
  [['customer.segment.entered', 'customer.rewarded.loyalty_points.v2', 'customer.order', 'vouchers.created', 'no.such.type'], { voucher, transaction, redemption, customer: { id: 'cust_1' } }, '-']
]

test('every type of event has its subject', async t => {
  for (const [types, data, subject] of carries) {
    for (const type of types) {
      const delivery = identified(projectWebhook({ customer: { id: 'cust_1' }, ...data }, { type }))
      t.match(delivery, { event_id: 'evcus_0f1', type, subject, test: false }, `${type} → ${subject}`)
      t.equal(identified(distribution({ customer: { id: 'cust_1' }, ...data }, { type })).fact_digest, delivery.fact_digest)
    }
  }
})

test('a type we do not read is stored all the same, and told by nothing', async t => {
  for (const type of ['no.such.type', 'redemption.failed', 'redemption.rollback.failed', 'campaign.loyalty_tier.updated', 'customer.segment.entered']) {
    t.strictSame(factsOf(JSON.stringify(projectWebhook({ customer: { id: 'cust_1' }, voucher, redemption, transaction }, { type }))), [{ fact: 'unread', type }], type)
  }
  const unknown = { type: 'no.such.type' }
  t.match(identified(projectWebhook({ customer: { id: 'cust_1' } }, unknown)), { subject: '-', customer_id: 'cust_1', shard_key: 'cust_1', occurred_at: '2024-03-11T13:20:40.123456Z' })
  t.match(identified(projectWebhook({ holder: { id: 'cust_2' } }, unknown)), { customer_id: 'cust_2' })
  t.match(identified(projectWebhook({ voucher }, unknown)), { customer_id: 'cust_1' }, 'the holder of the card keeps its events together')
  t.match(identified(projectWebhook({}, unknown)), { customer_id: null, shard_key: 'evcus_0f1' })
  t.match(identified(projectWebhook({ voucher: { id: 'v_1' } }, { type: 'voucher.created' })), { customer_id: null, shard_key: 'card:v_1' }, 'else its card does')
  t.match(identified(projectWebhook({}, { type: 'voucher.created' })), { subject: '-' }, 'nothing is there to be about')
  t.match(identified(projectWebhook({}, { ...unknown, created_at: null })), { occurred_at: null }, 'not the send-out: each sender has its own')
  t.match(identified(projectWebhook({}, { ...unknown, created_at: '2024-02-30T00:00:00Z' })), { occurred_at: null }, 'a time that is none is left out')
  for (const type of [null, 7, '', 'a\u001eb', 'a\u001fb', 'x'.repeat(300), { a: 1 }]) {
    t.match(identified(projectWebhook({}, { type })), { type: 'unknown', subject: '-' }, JSON.stringify(type).slice(0, 20))
  }
})

test('test deliveries are marked, whatever they carry, and never contradict each other', async t => {
  const ZERO = 'evcus_000000000000000000'
  const marked: Array<[what: string, body: JsonObject]> = [
    ['an empty award', projectWebhook({}, { event_id: ZERO, type: AWARD })],
    ['a full award', projectWebhook(award(), { event_id: ZERO, type: AWARD })],
    ['a full order', distribution(order(), { event_id: ZERO })],
    ['an unknown type', projectWebhook({}, { event_id: ZERO, type: 'no.such.type' })],
    ['an archived one', v2018(order(), { event_id: ZERO })]
  ]
  for (const [what, body] of marked) t.match(identified(body), { event_id: ZERO, test: true }, what)
  t.equal(new Set(marked.map(([, body]) => identified(body).fact_digest)).size, 1)

  const inside: Array<[what: string, body: JsonObject]> = [
    ['its trigger', set(award(), ['event', 'id'], ZERO)],
    ['its card', set(award(), ['voucher', 'id'], 'v_000000000000000000')],
    ['its customer', set(award(), ['voucher', 'holder_id'], 'cust_00000000')],
    ['the order', set(order(), ['order', 'id'], 'ord_000000000000000000')],
    ['the customer of the order', set(order(), ['order', 'customer_id'], 'cust_000000000000000000')],
    ['the customer of an unknown type', projectWebhook({ customer: { id: 'cust_000000000000000000' } }, { type: 'no.such.type' })]
  ]
  for (const [what, body] of inside) t.match(identified(body), { test: true }, what)
  for (const id of ['evcus_0', 'evcus_0000000000000000001', 'evcus_1000000000000000000', '000000000000000000', 'evcus_00000000000000000x']) {
    t.match(identified(projectWebhook(order(), { event_id: id })), { test: false }, id)
  }
})

// What reviews found to be read wrongly, or refused without need.
import { test } from 'tap'
import { factsOf, coversFacts } from '../../../src/providers/voucherify/identify.ts'
import { awardData, enveloped, orderData } from '../../support/deliveries.ts'
import { identified, identifyJson } from './payloads.ts'
import type { JsonObject } from '../../../src/providers/voucherify/wire/json.ts'

const card = { id: 'v_1', code: 'CODE', type: 'LOYALTY_CARD', holder_id: 'cust_1' }
const AT = '2026-01-01T10:00:00.000Z'

function event (type: string, data: object): JsonObject {
  return JSON.parse(JSON.stringify(enveloped(data, { id: 'ev_1', eventType: type, at: AT }))) as JsonObject
}

function facts (type: string, data: object): ReturnType<typeof factsOf> {
  return factsOf(identified(event(type, data)).body)
}

test('a row that does not say which spend, refund or award it is would count twice beside its event: it is set aside', async t => {
  for (const type of ['POINTS_REDEMPTION', 'POINTS_REFUND', 'POINTS_ACCRUAL']) {
    const row = { id: 'vtx_1', type, voucher_id: 'v_1', created_at: AT, details: null }
    t.match(identifyJson(event('voucher.loyalty_card.transaction.created', { transaction: row, voucher: card, balance: { points: 5, balance: 5 } })),
      { reason: 'invalid_payload', detail: /count twice/ }, type)
  }
})

test('a row that does not say what moved is no movement, whatever the sign of its points: its balance is read', async t => {
  for (const type of [null, undefined, 'POINTS_POLISHING', 'POINTS_V2_REDEMPTION']) {
    const row = { id: 'vtx_1', type, voucher_id: 'v_1', created_at: AT, details: { balance: { points: -30, balance: 70 }, redemption: { id: 'r_1' } } }
    const read = facts('voucher.loyalty_card.transaction.created', { transaction: row, voucher: card })
    t.match(read, [{ fact: 'snapshot', card_id: 'v_1', balance: 70n, pending: null }, { fact: 'card' }, { fact: 'customer' }], String(type))
    t.match(facts('voucher.loyalty_card.points_added', { transaction: row, voucher: card }), [{ fact: 'movement', kind: 'removal', points: -30n }], 'the event can say it')
  }
  for (const type of ['', 'points_redemption', 'Points Redemption', 'toString', '__proto__', 'POINTS_', 'POINTS__X']) {
    const row = { id: 'vtx_1', type, voucher_id: 'v_1', created_at: AT, details: { balance: { points: -30, balance: 70 } } }
    t.match(identifyJson(event('voucher.loyalty_card.transaction.created', { transaction: row, voucher: card })), { reason: 'invalid_payload', detail: /transaction\.type: .* is no type of a row/ }, type)
  }
})

test('a referral shows the card that receives: nothing was spent from it', async t => {
  const spent = { id: 'r_1', amount: 4500, created_at: AT }
  const shown = { customer: { id: 'cust_1' }, voucher: card }
  for (const data of [
    { ...shown, redemption: { ...spent, related_object_type: 'voucher', related_object_id: 'v_code' } },
    { ...shown, redemption: spent, balance: { points: 200 } },
    { ...shown, redemption: spent, referral_tier: { id: 'reft_1' } },
    { ...shown, redemption: { ...spent, voucher: { id: 'v_code', type: 'DISCOUNT_VOUCHER' } } }
  ]) t.notOk(facts('customer.rewarded', data).some(({ fact }) => fact === 'movement'), JSON.stringify(data))
  t.match(facts('customer.rewarded', { ...shown, redemption: { ...spent, related_object_id: 'v_1' } })[0], { fact: 'movement', points: -4500n })
  t.match(identified(event('customer.rewarded', { ...shown, redemption: null })), { subject: '-' })
})

test('a card assigned to whoever is referred keeps its owner; an assignment names its card by itself', async t => {
  const holder = { redeemable_id: 'v_1', voucher_type: 'LOYALTY_CARD', customer_id: 'cust_2' }
  t.strictSame(facts('customer.holder.assignment.created', { holder: { ...holder, holder_role: 'REFEREE' }, voucher: card, customer: { id: 'cust_2' } }), [])
  t.match(facts('customer.holder.assignment.created', { holder: { ...holder, holder_role: 'OWNER' }, voucher: null, customer: { id: 'cust_2' } })[0], { fact: 'card', card_id: 'v_1', holder_id: 'cust_2' })
  t.match(identified(event('customer.holder.assignment.created', { holder, voucher: null, customer: { id: 'cust_2' } })), { subject: 'card:v_1' })
})

test('what a payload tells in one place or the other is read', async t => {
  const row = { id: 'vtx_1', type: null, voucher_id: 'v_1', created_at: AT, details: { balance: { balance: 50 } } }
  t.match(facts('voucher.loyalty_card.points_expired', { voucher: card, points: 50, buckets: [], transaction: row })[0], { kind: 'expiration', points: -50n, reported_balance: 50n })
  const gold = { id: 'ltr_1', name: 'Gold' }
  t.match(identified(event('customer.loyalty.tier.left', { customer: { id: 'cust_1' }, campaign: { id: 'camp_1' }, loyalty_tier_from: gold })), { subject: 'tier:ltr_1' })
  const { status: _, ...order } = orderData().order
  t.match(facts('customer.order.paid', { ...orderData(), order })[0], { fact: 'order', status: 'PAID' }, 'the type of the event says it')
  t.match(facts('voucher.created', { voucher: { ...card, created_at: AT, loyalty_card: { balance: 5 } } })[0], { kind: 'opening', points: 5n, holder_id: null })
})

test('a send that leaves something out says the same; one that says more, or otherwise, does not', async t => {
  const whole = JSON.stringify(enveloped(awardData({ points: 5, balance: 5 })))
  const part = JSON.stringify(enveloped(awardData({ points: 5 })))
  t.ok(coversFacts(whole, part))
  t.notOk(coversFacts(part, whole), 'the balance would be lost')
  t.notOk(coversFacts(whole, JSON.stringify(enveloped(awardData({ points: 6, balance: 5 })))))
})

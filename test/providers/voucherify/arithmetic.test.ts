import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { fc } from '../../support/chance.ts'
import { test } from 'tap'
import { recompute } from '../../../src/providers/voucherify/rules/recompute.ts'
import type { Json, JsonObject } from '../../../src/providers/voucherify/wire/json.ts'
import { always } from '../../ledger/property.ts'
import { award, campaignNotification, distribution, pathsOf, projectWebhook, set, texts, v2018 } from './payloads.ts'

/** An award whose rule, order and tier are these. */
function observed (loyalty: Json, rest: JsonObject = {}): string {
  return JSON.stringify({ ...award(), earning_rule: { id: 'ern_1', loyalty }, loyalty_tier: null, ...rest })
}

const proportional = (calculation_type: string, rest: JsonObject): JsonObject => ({ type: 'PROPORTIONAL', calculation_type, ...rest })
const ofTotal = (every: number, points: number): JsonObject => proportional('ORDER_TOTAL_AMOUNT', { order: { total_amount: { every, points } } })

test('the sample: 45000 after discounts, 10 points for every 500, gives 900', async t => {
  const expected = { points: 900n, agrees: true, base: '45000', rule: '10 points for every 500 of order.total_amount', remark: null }
  t.strictSame(recompute(texts.award, 900n), expected)
  for (const wrapped of [projectWebhook(award()), distribution(award()), campaignNotification(award()), v2018(award())]) {
    t.strictSame(recompute(JSON.stringify(wrapped), 900n), expected, 'in any envelope')
  }
  const other = recompute(texts.award, 1000n)
  t.match(other, { points: 900n, agrees: false, remark: 'The rule gives 900, the provider says 1000: the provider\'s figure stands.' })
})

test('what a rule can count', async t => {
  const order = {
    amount: 50000,
    total_amount: 45000,
    metadata: { nights: 3, rate: 12.5, when: 'soon' },
    items: [
      { product_id: 'prod_1', sku_id: 'sku_1', quantity: 2, amount: 400, subtotal_amount: 300 },
      { product: { id: 'prod_1' }, sku: { id: 'sku_2' }, quantity: 1, amount: 200, subtotal_amount: 200 },
      { product_id: 'prod_2', quantity: 9, amount: 900, subtotal_amount: 900 }
    ]
  }
  const item = (field: string, object: string, id: string): JsonObject => ({ order_items: { [field]: { every: 1, points: 10, object, id } } })
  const per = (rest: JsonObject = {}): JsonObject => ({ every: 1, points: 10, ...rest })
  const counted: Array<[loyalty: JsonObject, base: string | null, points: bigint]> = [
    [{ type: 'FIXED', points: 25 }, null, 25n],
    [proportional('ORDER_AMOUNT', { order: { amount: per() } }), '50000', 500000n],
    [proportional('ORDER_METADATA', { order: { metadata: per({ property: 'nights' }) } }), '3', 30n],
    [proportional('ORDER_METADATA', { order: { metadata: { every: 5, points: 2, property: 'rate' } } }), '12.5', 4n],
    [proportional('CUSTOMER_METADATA', { customer: { metadata: per({ property: 'age' }) } }), '7', 70n],
    [proportional('CUSTOM_EVENT_METADATA', { custom_event: { metadata: per({ property: 'steps' }) } }), '11', 110n],
    [proportional('ORDER_ITEMS_QUANTITY', item('quantity', 'product', 'prod_1')), '3', 30n],
    [proportional('ORDER_ITEMS_AMOUNT', item('amount', 'product', 'prod_1')), '600', 6000n],
    [proportional('ORDER_ITEMS_SUBTOTAL_AMOUNT', item('subtotal_amount', 'sku', 'sku_1')), '300', 3000n],
    [proportional('ORDER_ITEMS_QUANTITY', item('quantity', 'product', 'prod_9')), '0', 0n]
  ]
  const people = { customer: { id: 'cust_1', metadata: { age: 7 } }, custom_event: { metadata: { steps: 11 } } }
  for (const [loyalty, base, points] of counted) {
    t.match(recompute(observed(loyalty, { order, ...people }), points), { points, base, agrees: true }, JSON.stringify(loyalty))
  }
  t.match(recompute(observed({}, { earning_rule: { id: 'ern_1', parameters: { loyalty: ofTotal(100, 1) } }, order }), 450n), { points: 450n, agrees: true }, 'the row of the provider\'s ledger has it elsewhere')
})

test('a remainder: whole steps or the exact proportion, both agree, and it is said', async t => {
  const body = observed(ofTotal(500, 10), { order: { total_amount: 45250 } })
  for (const points of [900n, 905n]) {
    const got = recompute(body, points)
    t.match(got, { points: 900n, agrees: true, base: '45250' })
    t.match(got, { remark: /45250 is no multiple of 500: whole steps give 900, the exact proportion 905/ })
  }
  t.match(recompute(body, 904n), { points: 900n, agrees: false })
  t.match(recompute(observed(ofTotal(300, 1), { order: { total_amount: 500 } }), 2n), { points: 1n, agrees: true, remark: /the exact proportion 1\.66/ }, 'rounded up')
})

test('a tier multiplies a rule\'s points, or has its own', async t => {
  const tier = (mapping: JsonObject): JsonObject => ({ name: 'Gold', earning_rules: { ern_1: mapping, ern_2: { type: 'MULTIPLY', multiplier: 9 } } })
  const order = { total_amount: 45000 }
  t.match(recompute(observed(ofTotal(500, 10), { order, loyalty_tier: tier({ type: 'MULTIPLY', multiplier: 1.5 }) }), 1350n), { points: 1350n, agrees: true, remark: 'Multiplied by 1.5 in tier "Gold".' })
  t.match(recompute(observed({ type: 'FIXED', points: 3 }, { loyalty_tier: tier({ type: 'MULTIPLY', multiplier: 1.1 }) }), 4n), { points: 3n, agrees: true }, 'a fraction of a point may be rounded either way')
  t.match(recompute(observed({ type: 'FIXED', points: 3 }, { loyalty_tier: tier({ type: 'CUSTOM', points: 8 }) }), 8n), { points: 8n, agrees: true, remark: /With 8 points of tier "Gold"/ })
  for (const points of [720n, 8n]) t.match(recompute(observed(ofTotal(500, 10), { order, loyalty_tier: tier({ type: 'CUSTOM', points: 8 }) }), points), { points: 720n, agrees: true }, 'what they are in place of is not documented')
  t.match(recompute(observed(ofTotal(500, 10), { order, holder_loyalty_tier: { earning_rules: {} }, loyalty_tier: tier({ type: 'MULTIPLY', multiplier: 2 }) }), 900n), { agrees: true }, 'of two tiers the one that knows the rule may count, or neither')
  t.match(recompute(observed(ofTotal(500, 10), { order, loyalty_tier: tier({ type: 'LOTTERY' }) }), 900n), { why: /tier "Gold"/ })
})

test('what cannot be recomputed is said, never guessed', async t => {
  const cases: Array<[body: string, why: RegExp]> = [
    ['not json', /does not carry the formula/],
    ['null', /does not carry the formula/],
    ['{}', /does not carry the formula/],
    [observed({ type: 'FORMULA', formula: 'x * 2' }), /"FORMULA"/],
    [observed({ type: 'FIXED', points: 1.5 }), /no whole number/],
    [observed(proportional('MOON_PHASE', {})), /"MOON_PHASE"/],
    [observed(ofTotal(0, 10)), /how many points it gives for how much/],
    [observed(ofTotal(500, 10), { order: null }), /carries no order\.total_amount/],
    [observed(ofTotal(500, 10), { order: { total_amount: 2 ** 53 } }), /carries no order\.total_amount/],
    [observed(ofTotal(500, 10), { order: { total_amount: '45000' } }), /carries no order\.total_amount/],
    [observed(proportional('ORDER_METADATA', { order: { metadata: { every: 1, points: 1, property: '__proto__' } } })), /carries no order\.metadata/],
    [observed(proportional('ORDER_ITEMS_AMOUNT', { order_items: { amount: { every: 1, points: 1, object: 'products_collection', id: 'pc_1' } } })), /which items/],
    [observed(proportional('ORDER_ITEMS_AMOUNT', { order_items: { amount: { every: 1, points: 1, object: 'product', id: 'prod_1' } } }), { order: { items: [{ source_id: 'mug' }] } }), /does not say which product/]
  ]
  for (const [body, why] of cases) t.match(recompute(body, 900n), { why }, body.slice(0, 80))
  t.match(recompute(texts.award, -900n), { why: /taken back/ })
})

test('whole steps of any size are exact, and nothing in a payload makes it fail', async t => {
  always(t, fc.property(fc.maxSafeNat(), fc.integer({ min: 1 }), fc.nat(), (total, every, points) => {
    const steps = BigInt(total) / BigInt(every) * BigInt(points)
    const got = recompute(observed(ofTotal(every, points), { order: { total_amount: total } }), steps)
    assert.ok('points' in got && got.points === steps && got.agrees && (got.remark === null) === (BigInt(total) % BigInt(every) === 0n))
  }))
  const paths = pathsOf(award())
  always(t, fc.property(fc.constantFrom(...paths), fc.jsonValue(), (path, value) => {
    const got = recompute(JSON.stringify(set(award(), path, value)), 900n)
    assert.ok('why' in got || typeof got.points === 'bigint')
  }))
})

test('every sample of an award agrees with its rule, or says why not', async t => {
  const folder = new URL('test/providers/voucherify/samples/', import.meta.resolve('#root/package.json'))
  let agreed = 0
  for (const name of readdirSync(folder).filter(name => /^award\.|points-accrual/.test(name))) {
    const sample = JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as { body?: JsonObject, body_text?: string }
    const body = sample.body_text ?? JSON.stringify(sample.body)
    const parsed = JSON.parse(body) as { data?: JsonObject, balance?: JsonObject }
    const points = (parsed.data?.balance as JsonObject | undefined ?? parsed.balance)?.points
    if (!Number.isSafeInteger(points)) continue
    const got = recompute(body, BigInt(points as number))
    if ('why' in got) continue
    t.ok(got.agrees, `${name}: ${got.rule} of ${got.base ?? 'nothing'}`)
    agreed++
  }
  t.ok(agreed > 15, `${agreed} agree`)
})

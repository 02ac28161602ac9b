import { readdirSync, readFileSync } from 'node:fs'
import { test, type Test } from 'tap'
import { coreOf, identify } from '../../../src/providers/voucherify/identify.ts'
import type { Json } from '../../../src/providers/voucherify/wire/json.ts'
import { NOTHING_KNOWN, recognise } from '../../../src/providers/person.ts'
import { redact } from '../../../src/providers/voucherify/privacy/redaction.ts'
import { identifyingTexts } from '../../../src/providers/voucherify/privacy/identifying-texts.ts'
import { simulate } from '../../../simulator/simulate.ts'
import { customersIn, impersonalFacts, plainly, plant, SECRETS } from './personal.ts'

const folder = new URL('test/providers/voucherify/samples/', import.meta.resolve('#root/package.json'))
const samples = readdirSync(folder).map(file => {
  const { body, body_text } = JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as { body?: Json, body_text?: string }
  return { name: file, text: body_text ?? JSON.stringify(body) }
})
const simulated = [1, 2, 3].flatMap(seed => simulate({ seed, customers: 4, events: 120, chaos: 'high' }).deliveries
  .map(({ body, type }, index) => ({ name: `seed ${seed}, ${index}: ${type}`, text: body.toString() })))

/** @param called what other bodies say of the customer */
function erase (text: string, customer_id: string, called: readonly string[] = []): string | undefined {
  return redact(text, { customer_id, matcher: recognise([...identifyingTexts(text, customer_id), ...called]) })
}

/** What identity, comparison and the fold hang on is the same before and after. */
function sameButForPerson (t: Test, before: string, after: string, customer_id: string, name: string): void {
  const { body: _, ...identity } = { body: '', ...identify(Buffer.from(before)) }
  const { body: __, ...again } = { body: '', ...identify(Buffer.from(after)) }
  t.strictSame(again, identity, `${name}: the same event`)
  if ('reason' in identity || ('test' in identity && identity.test)) return
  t.strictSame(coreOf(after), coreOf(before), `${name}: what sends are compared by`)
  t.strictSame(impersonalFacts(after, customer_id), impersonalFacts(before, customer_id), `${name}: the same facts`)
}

for (const [what, bodies] of [['every sample', samples], ['simulated deliveries', simulated]] as const) {
  test(`${what}: what is personal goes, what counts stays`, async t => {
    let erased = 0
    for (const { name, text } of bodies) {
      let json: Json
      try {
        json = JSON.parse(text) as Json
      } catch {
        t.equal(erase(text, 'cust_any'), undefined, `${name}: not JSON`)
        continue
      }
      const people = customersIn(json)
      for (const customer_id of people) {
        const after = erase(text, customer_id) ?? ''
        sameButForPerson(t, text, after, customer_id, name)
        const others = new Set([...people].filter(id => id !== customer_id))
        const planted = JSON.stringify(plant(json, customer_id, others))
        const clean = erase(planted, customer_id, ['Øyvind Quillfeather']) ?? ''
        const left = plainly(clean)
        t.strictSame(SECRETS.filter(secret => left.includes(secret.toLowerCase())), [], `${name}: nothing of ${customer_id} is left`)
        sameButForPerson(t, planted, clean, customer_id, `${name}, planted`)
        t.equal(erase(clean, customer_id, ['Øyvind Quillfeather']), clean, `${name}: doing it again changes nothing`)
        erased++
      }
    }
    t.ok(erased > 100, `${erased} erased`)
  })
}

const ADA = 'cust_ada'
const matcher = recognise(['Ada Lovelace', 'ada@example.com', '+44 20 7946 0958'])
const redacted = (text: string): string | undefined => redact(text, { customer_id: ADA, matcher })

test('every character of what is kept stays as it came', async t => {
  const numbers = '{ "data" : { "customer": {"id":"cust_ada"}, "a": 1.0, "b": 12345678901234567890, "c": 1e400, "d": -0.0, "e": 0.10, "__proto__": {"x": 1}, "2": 1, "1": 2, "t": "caf\\u00e9 \\/" } }'
  t.equal(redacted(numbers), numbers, 'nothing to take: the same text')
  const order = '{"customer_id":"cust_ada", "amount" : 12345678901234567890.50 ,"metadata":{"a":1},"amount":1.0,"__proto__":{"metadata":{"b":1},"n":1e2}}'
  t.equal(redacted(order), '{"customer_id":"cust_ada","amount":12345678901234567890.50,"amount":1.0,"__proto__":{"n":1e2}}')
})

test('texts that name the customer go, however they are spelled; ids, codes and what is the merchant\'s stay', async t => {
  const cases: Array<[json: Json, expected: Json, why: string]> = [
    [{ reason: 'gave ADA back her points' }, {}, 'a single name in prose'],
    [{ reason: 'gave Adams his points' }, { reason: 'gave Adams his points' }, 'a longer word is another word'],
    [{ banner: 'Ada earns more' }, { banner: 'Ada earns more' }, 'a single name elsewhere can be a word'],
    [{ text: 'Lovelace, Ada' }, {}, 'turned around'],
    [{ text: 'call 0044 (20) 7946-0958, or 442079460958' }, {}, 'a telephone number'],
    [{ list: ['fine', 'mail Ada@Example.COM'] }, { list: ['fine', null] }, 'in a list'],
    [{ 'ada@example.com': true, kept: 1 }, { kept: 1 }, 'as a key'],
    [{ campaign: { name: 'Ada Lovelace Day', metadata: { theme: 'blue' } } }, { campaign: { name: 'Ada Lovelace Day', metadata: { theme: 'blue' } } }, 'a programme'],
    [{ earning_rule: { loyalty: { order: { metadata: { every: 1, points: 2, property: 'visits' } } } } }, { earning_rule: { loyalty: { order: { metadata: { every: 1, points: 2, property: 'visits' } } } } }, 'a rule'],
    [{ voucher: { code: 'ADA LOVELACE', holder_id: ADA, metadata: { a: 1 } } }, { voucher: { code: 'ADA LOVELACE', holder_id: ADA } }, 'a card is called so'],
    [{ customer_id: ADA, customer_email: 'x@y.z', ip: '10.0.0.1', tracking_id: 'track_x', ship: 1 }, { customer_id: ADA, ship: 1 }, 'a designer\'s flat fields'],
    [{ customer: { id: ADA, object: 'customer', source_id: 'shop-1815', created_at: '2026-01-01T00:00:00Z', segments: [] } }, { customer: { id: ADA, object: 'customer', source_id: 'shop-1815', created_at: '2026-01-01T00:00:00Z' } }, 'ids and times of the customer'],
    [{ customer: { id: ADA, source_id: 'ada+shop@example.org' } }, { customer: { id: ADA } }, 'an id that is an address'],
    [{ customer: { id: ADA, source_id: '+44 (0)20 1111 2222' } }, { customer: { id: ADA } }, 'an id that is a telephone number'],
    [{ customer: { id: ADA, source_id: '4479460958' } }, { customer: { id: ADA, source_id: '4479460958' } }, 'a number like any other'],
    [{ order: { source_id: 'ada@example.com/1', customer_id: ADA } }, { order: { source_id: 'ada@example.com/1', customer_id: ADA } }, 'what names an order stays: sends are compared by it'],
    [{ transaction: { source_id: 'ada@example.com' } }, { transaction: {} }, 'any other such id goes'],
    [{ holder: { id: 'rh_1', object: 'redeemable_holder', customer_id: ADA, redeemable_id: 'v_1', metadata: {} } }, { holder: { id: 'rh_1', object: 'redeemable_holder', customer_id: ADA, redeemable_id: 'v_1' } }, 'an assignment is no customer'],
    [{ customer: { id: 'cust_bo', name: 'Bo', metadata: { a: 1 } }, referrer: { id: ADA, name: 'A' }, order: { customer_id: 'cust_bo', metadata: { b: 1 } }, note: 'from Ada Lovelace' },
      { customer: { id: 'cust_bo', name: 'Bo', metadata: { a: 1 } }, referrer: { id: ADA }, order: { customer_id: 'cust_bo', metadata: { b: 1 } } }, 'what is another customer\'s stays'],
    [{ customer: { id: ADA }, holder: { id: 'cust_bo', name: 'Bo' }, order: { metadata: { a: 1 } } }, { customer: { id: ADA }, holder: { id: 'cust_bo', name: 'Bo' }, order: {} }, 'an order without a name beside the customer']
  ]
  for (const [json, expected, why] of cases) t.strictSame(JSON.parse(redacted(JSON.stringify(json)) ?? ''), expected, why)
})

test('JSON in a cell of an export is read, too', async t => {
  const cell = '{"customer":{"id":"cust_ada","name":"Ada \\u004covelace","email":"ada\\u0040example.com"},"order":{"id":"ord_1","metadata":{"a":1}},"balance":{"points":10}}'
  const row = JSON.stringify({ export: 'transactions', row: { id: 'vtx_1', details: cell, reason: 'Ada', amount: '10' } })
  t.strictSame(JSON.parse(redacted(row) ?? ''), {
    export: 'transactions', row: { id: 'vtx_1', details: '{"customer":{"id":"cust_ada"},"order":{"id":"ord_1"},"balance":{"points":10}}', amount: '10' }
  })
})

test('an archived change: what the customer was called before goes with what they are called', async t => {
  const body = JSON.stringify({ object: 'event', data: { object: { id: ADA, object: 'customer', name: 'Ada King' }, previous_attributes: { name: 'Ada Byron', email: null } } })
  t.strictSame(identifyingTexts(body, ADA).sort(), ['Ada Byron', 'Ada King'])
  t.strictSame(JSON.parse(redacted(body) ?? ''), { object: 'event', data: { object: { id: ADA, object: 'customer' }, previous_attributes: {} } })
})

test('mentions alone: the customer\'s own objects still say what they are called', async t => {
  const body = JSON.stringify({ customer: { id: ADA, name: 'Ada Lovelace' }, order: { metadata: { a: 1 } }, reason: 'for Ada' })
  t.strictSame(JSON.parse(redact(body, { customer_id: ADA, matcher }, 'mentions') ?? ''), { customer: { id: ADA, name: 'Ada Lovelace' }, order: { metadata: { a: 1 } } })
})

test('what is no JSON, or nests too deep, cannot be redacted', async t => {
  for (const text of ['', 'Ada', '{"a":', `${'['.repeat(2000)}${']'.repeat(2000)}`]) t.equal(redact(text, { customer_id: ADA, matcher: NOTHING_KNOWN }), undefined)
})

// What every provider must keep (src/providers/provider.ts), as tests over a provider and deliveries of its own. A
// provider's folder of tests calls `testContract` once.
import assert from 'node:assert/strict'
import { fc } from '../support/chance.ts'
import { test } from 'tap'
import { NOBODY, type Fact } from '../../src/ledger/facts.ts'
import { NOTHING_KNOWN, recognise } from '../../src/providers/person.ts'
import { webhookPath, type IdentifiedDelivery, type Provider } from '../../src/providers/provider.ts'
import { createProviders } from '../../src/providers/index.ts'
import { always } from '../ledger/property.ts'

export interface ContractSamples {
  /** Bodies that can be identified, as JSON text, by what each shows. At least one states a movement. */
  deliveries: Array<[shows: string, body: string]>
  /** One that holds personal texts of a customer. */
  personal: { body: string, customer_id: string, texts: readonly string[] }
}

const SECRET = 'a-secret'
const CODES = ['not_utf8', 'not_json', 'not_an_object', 'too_deep', 'unidentified', 'invalid_payload']
/** Movement keys join several ids. */
const MAX_KEY_BYTES = 800

export function testContract (provider: Provider, { deliveries, personal }: ContractSamples): void {
  const bodies = deliveries.map(([, body]) => body)
  /** Samples, samples with a piece replaced or cut off, JSON, and anything. */
  const anyBytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map(bytes => Buffer.from(bytes)),
    fc.json().map(text => Buffer.from(text)),
    fc.tuple(fc.constantFrom(...bodies), fc.nat(), fc.nat(40), fc.string({ maxLength: 20 })).map(([body, at, length, piece]) => {
      const start = at % body.length
      return Buffer.from(body.slice(0, start) + piece + body.slice(start + length))
    }),
    fc.tuple(fc.constantFrom(...bodies), fc.nat(), fc.jsonValue()).map(([body, at, value]) => Buffer.from(withValueAt(body, at, value)))
  )

  test(`${provider.name}: what people and routes are told of it is usable`, async t => {
    t.match(provider.name, /^[a-z][a-z0-9-]{0,31}$/)
    t.equal(webhookPath(provider), `/webhooks/${provider.name}`)
    t.ok(provider.webhook.signature_headers.length > 0)
    for (const header of provider.webhook.signature_headers) t.match(header, /^[a-z0-9-]+$/, 'a header by its name in lower case')
    for (const text of [provider.webhook.title, provider.webhook.signature, provider.webhook.body]) t.match(text, /\w/)
    t.match(provider.webhook.signature, /[^.]$/, 'the end of a sentence, without its full stop')
  })

  test(`${provider.name}: the samples are identified and read, always in the same way`, async t => {
    let movements = 0
    for (const [shows, body] of deliveries) {
      const bytes = Buffer.from(body)
      const identified = deepFreeze(identifiedBy(provider, body))
      assertNames(identified)
      assert.deepEqual(provider.identify(bytes), identified, shows)
      assert.deepEqual(bytes, Buffer.from(body), `${shows}: the bytes are as they were`)
      assert.equal(identified.body, body, `${shows}: the body is kept verbatim`)
      if (identified.test) continue
      const facts = deepFreeze(provider.factsOf(body))
      for (const fact of facts) assertPlain(fact, shows)
      assert.deepEqual(provider.factsOf(body), facts, shows)
      assert.ok(provider.coversFacts(body, body), `${shows}: a repeat states the same`)
      assert.deepEqual(provider.differences(bytes, bytes)?.facts ?? [], [], `${shows}: a repeat does not differ`)
      movements += facts.filter(({ fact }) => fact === 'movement').length
    }
    t.ok(movements > 0, `${deliveries.length} samples state ${movements} movements`)
  })

  test(`${provider.name}: unknown fields are ignored, and kept`, async t => {
    for (const [shows, body] of deliveries) {
      const more = body.replace('{', '{"zz_unknown_field":{"zz_deep":[1,"two",null]},')
      const [{ body: _, ...before }, { body: kept, ...after }] = [identifiedBy(provider, body), identifiedBy(provider, more)]
      assert.deepEqual(after, before, shows)
      assert.equal(kept, more, shows)
      if (!before.test) assert.deepEqual(provider.factsOf(more), provider.factsOf(body), shows)
    }
    t.pass(`held for ${deliveries.length} samples`)
  })

  test(`${provider.name}: no bytes make it throw, and none are changed`, async t => {
    always(t, fc.property(anyBytes, bytes => {
      const before = Buffer.from(bytes)
      const identified = provider.identify(bytes)
      assert.deepEqual(provider.identify(bytes), identified)
      assert.deepEqual(bytes, before)
      if ('reason' in identified) {
        assert.ok(CODES.includes(identified.reason), identified.reason)
        assert.match(identified.detail, /\w/)
        return
      }
      assertNames(identified)
      assert.deepEqual(Buffer.from(identified.body), before)
      for (const id of Object.values(provider.mentionedIds(identified.body)).flat()) assert.equal(typeof id, 'string')
      provider.recompute(identified.body, 1n)
      provider.redact(identified.body, { customer_id: identified.customer_id, matcher: NOTHING_KNOWN }, 'all')
      // What this version accepts, this version reads.
      if (!identified.test) for (const fact of provider.factsOf(identified.body)) assertPlain(fact, identified.body)
    }))
  })

  test(`${provider.name}: only who knows a secret in force can sign`, async t => {
    const secret = fc.string({ minLength: 1, maxLength: 40 })
    always(t, fc.property(fc.oneof(fc.constantFrom(...bodies).map(text => Buffer.from(text)), anyBytes), secret, secret, (body, mine, other) => {
      const before = Buffer.from(body)
      const headers = deepFreeze(provider.sign(body, mine))
      const check = (secrets: readonly string[], bytes = body): string => provider.authenticate(bytes, headers, secrets)
      assert.equal(check([mine]), 'authentic')
      assert.equal(check(['newer', mine]), 'authentic', 'an older secret counts while it is listed')
      assert.notEqual(check([]), 'authentic', 'without secrets nothing is')
      assert.notEqual(check(['']), 'authentic', 'an empty secret is none')
      assert.equal(check([mine], Buffer.concat([body, Buffer.from('x')])), 'signature_invalid', 'of another body')
      if (other !== mine) assert.equal(check([other]), 'signature_invalid', 'under another secret')
      assert.equal(provider.authenticate(body, {}, [mine]), 'signature_missing')
      assert.notEqual(provider.authenticate(body, provider.sign(body, ''), ['']), 'authentic', 'anyone can sign with nothing')
      assert.deepEqual(body, before)
    }))
    for (const value of [undefined, null, '', 'zz', '0'.repeat(64), ['a'], 7]) {
      const headers = Object.fromEntries(provider.webhook.signature_headers.map(header => [header, value]))
      t.not(provider.authenticate(Buffer.from(bodies[0] ?? ''), headers, [SECRET]), 'authentic', JSON.stringify(value))
    }
  })

  test(`${provider.name}: what is personal goes, and what counts stays`, async t => {
    const { body, customer_id, texts } = personal
    const observed = provider.identifyingTexts(body, customer_id)
    t.ok(observed.length > 0, 'it says what the customer is called')
    t.same(provider.identifyingTexts(body, null), [], 'of a customer of another provider it says nothing')
    const erased = { customer_id, matcher: recognise(observed) }
    const redacted = provider.redact(body, erased, 'all') ?? ''
    t.ok(texts.every(text => body.includes(text)), 'the sample holds them')
    t.same(texts.filter(text => redacted.includes(text)), [], 'none is left')
    t.equal(provider.redact(redacted, erased, 'all'), redacted, 'again changes nothing')
    const [{ body: _, ...before }, { body: __, ...after }] = [identifiedBy(provider, body), identifiedBy(provider, redacted)]
    t.same(after, before, 'the event is still named as it was, its digest too')
    t.same(countedIn(provider.factsOf(redacted)), countedIn(provider.factsOf(body)), 'and counts the same')
    t.equal(provider.redact(body, { customer_id: null, matcher: NOTHING_KNOWN }, 'all'), body, 'a customer of another provider is nowhere in it')
    t.equal(provider.redact('not json', erased, 'all'), undefined)
  })

  test(`${provider.name}: as a second provider each of its ids has its prefix, and only there`, async t => {
    const providers = createProviders({ ...provider, name: 'first' }, provider)
    const second = providers.named(provider.name) ?? assert.fail('it is in the list')
    const prefix = `${provider.name}:`
    for (const [shows, body] of deliveries) {
      const [plain, prefixed] = [identifiedBy(provider, body), identifiedBy(second, body)]
      for (const name of ['event_id', 'subject', 'shard_key', 'customer_id'] as const) {
        assert.equal(prefixed[name], plain[name] === null ? null : prefix + plain[name], `${shows}: ${name}`)
      }
      assert.deepEqual({ ...prefixed, event_id: '', subject: '', shard_key: '', customer_id: '' }, { ...plain, event_id: '', subject: '', shard_key: '', customer_id: '' })
      if (plain.test) continue
      const [facts, own] = [second.factsOf(body), provider.factsOf(body)]
      for (const fact of facts) for (const id of keysOf(fact)) assert.ok(id.startsWith(prefix), `${shows}: ${id} of a ${fact.fact}`)
      // The first and the second of a list that send the very same bytes have no key in common.
      const ownKeys = new Set(own.flatMap(keysOf))
      assert.deepEqual(facts.flatMap(keysOf).filter(id => ownKeys.has(id)), [], shows)
      assert.deepEqual(facts.flatMap(keysOf).map(id => id.slice(prefix.length)), own.flatMap(keysOf), shows)
      const mentioned = second.mentionedIds(body)
      assert.ok([...mentioned.cards, ...mentioned.orders].every(id => id.startsWith(prefix)), shows)
    }
    const { body, customer_id } = personal
    const erased = { customer_id, matcher: recognise(provider.identifyingTexts(body, customer_id)) }
    t.equal(second.redact(body, { ...erased, customer_id: prefix + customer_id }, 'all'), provider.redact(body, erased, 'all'), 'asked by the id with its prefix')
    t.equal(second.redact(body, { customer_id, matcher: NOTHING_KNOWN }, 'all'), body, 'an id without it is somebody else')
    t.equal(providers.asSent(prefix + customer_id), customer_id)
    t.equal(providers.ofId(prefix + customer_id).name, provider.name)
    t.equal(providers.ofId(customer_id).name, 'first')
  })
}

/** @throws when the delivery cannot be identified */
function identifiedBy (provider: Provider, body: string): IdentifiedDelivery {
  const identified = provider.identify(Buffer.from(body))
  if ('reason' in identified) throw new Error(`${identified.reason}: ${identified.detail}: ${body.slice(0, 200)}`)
  return identified
}

function assertNames ({ event_id, subject, type, customer_id, shard_key, fact_digest }: IdentifiedDelivery): void {
  for (const id of [event_id, subject, shard_key, type, customer_id ?? shard_key]) {
    assert.match(id, /^\P{Cc}+$/u)
    assert.ok(id.isWellFormed() && Buffer.byteLength(id) <= MAX_KEY_BYTES, id)
  }
  assert.match(fact_digest, /^[0-9a-f]{64}$/)
}

/** Text, exact numbers and nothing: what every process reads alike, and what outlives the payload. */
function assertPlain (fact: Fact, shows: string): void {
  for (const [name, value] of membersOf(fact)) {
    const values = typeof value === 'object' && value !== null ? Object.values(value) : [value]
    for (const one of values) assert.ok(one === null || ['string', 'bigint', 'undefined'].includes(typeof one) || name === 'source_rank', `${shows}: ${name} of a ${fact.fact}`)
  }
}

/** With the members that are getters of a class. */
function membersOf (fact: Fact): Array<[name: string, value: unknown]> {
  const described = fact.fact === 'order' ? { items: fact.items, metadata: fact.metadata, state_digest: fact.state_digest } : {}
  return Object.entries({ ...fact, ...described })
}

/** Every id in a fact that is the provider's own. */
function keysOf (fact: Fact): string[] {
  // NOBODY, the holder of a card that has none, is no id.
  const names = ['movement_id', 'card_id', 'pending_id', 'bucket_id', 'order_id', 'earning_rule_id', 'holder_id', 'released_id', 'customer_id', 'campaign_id', 'tier_id', 'from_tier_id']
  const members = new Map([...membersOf(fact), ...Object.entries(fact.fact === 'card' ? { campaign_id: fact.fields.campaign_id } : {})])
  return names.map(name => members.get(name)).filter((id): id is string => typeof id === 'string' && id !== NOBODY)
}

/** What balances are made of. */
function countedIn (facts: readonly Fact[]): Fact[] {
  return facts.filter(({ fact }) => fact === 'movement' || fact === 'pending').map(fact => fact.fact === 'movement' ? { ...fact, details: null } : fact)
}

function deepFreeze<T extends object> (value: T): T {
  for (const part of Object.values(value)) if (typeof part === 'object' && part !== null) deepFreeze(part as object)
  return Object.freeze(value)
}

/** A body in which one member, wherever it is, is another value. */
function withValueAt (body: string, at: number, value: unknown): string {
  const json = JSON.parse(body) as Record<string, unknown>
  const places: Array<[object, string]> = []
  const walk = (part: unknown): void => {
    if (typeof part !== 'object' || part === null) return
    for (const [key, inside] of Object.entries(part)) {
      places.push([part, key])
      walk(inside)
    }
  }
  walk(json)
  const place = places[at % places.length]
  if (place !== undefined) Reflect.set(place[0], place[1], value)
  return JSON.stringify(json)
}

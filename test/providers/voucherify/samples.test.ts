// Deliveries written for this project, one file each, with what the ledger must read in them. A file says in `shows`
// what it is there for; `body` (or `body_text`, where the bytes matter) is the delivery; `reads` is the outcome. Of a
// fact only the members that matter to the sample are written down, and `no` names the kinds of fact that must not be
// told.
import { readdirSync, readFileSync } from 'node:fs'
import { test, type Test } from 'tap'
import type { Fact } from '../../../src/ledger/facts.ts'
import type { IdentifiedDelivery, Unusable } from '../../../src/providers/provider.ts'
import { factsOf, identify } from '../../../src/providers/voucherify/identify.ts'
import { isObject, type Json, type JsonObject } from '../../../src/providers/voucherify/wire/json.ts'

interface Sample {
  shows: string
  body?: JsonObject
  body_text?: string
  reads: { reason: string, detail?: string } | Reading
  /** The name of another sample of the same event: same key, same facts, a duplicate. */
  equals?: string
  /** The name of a sample of another event that tells the same movements. */
  same_movement_as?: string
}

interface Reading {
  event_id: string
  type?: string
  subject?: string
  customer_id?: string | null
  occurred_at?: string
  test: boolean
  /** How many movements are told. */
  movements?: number
  facts?: JsonObject[]
  no?: string[]
}

const folder = new URL('test/providers/voucherify/samples/', import.meta.resolve('#root/package.json'))
const files = readdirSync(folder).sort()
const samples = new Map(files.map(file => [file.replace(/\.json$/, ''), JSON.parse(textOf(file)) as Sample]))

function textOf (file: string): string {
  return readFileSync(new URL(file, folder), 'utf8')
}

function sampleOf (name: string): Sample {
  const sample = samples.get(name)
  if (sample === undefined) throw new Error(`there is no sample called ${name}`)
  return sample
}

function bytesOf ({ body, body_text }: Sample): Buffer {
  return Buffer.from(body_text ?? JSON.stringify(body))
}

/** @throws when the sample cannot be identified */
function identified (name: string): IdentifiedDelivery {
  const result = identify(bytesOf(sampleOf(name)))
  if ('reason' in result) throw new Error(`${name}: ${result.reason}: ${result.detail}`)
  return result
}

function keyOf ({ event_id, subject }: IdentifiedDelivery): string {
  return `${event_id} about ${subject}`
}

function movementsOf (facts: Fact[]): string[] {
  return facts.flatMap(fact => fact.fact === 'movement' ? [fact.movement_id] : []).sort()
}

/**
 * Does the value have all that is written down? Points are bigint, which JSON writes as a number or as decimal text.
 */
function has (actual: unknown, written: Json | undefined): boolean {
  if (isObject(written)) return typeof actual === 'object' && actual !== null && Object.entries(written).every(([key, value]) => has((actual as Record<string, unknown>)[key], value))
  if (typeof actual === 'bigint') return (typeof written === 'number' || typeof written === 'string') && String(actual) === String(written)
  return actual === written
}

function readable (facts: unknown): Json {
  return JSON.parse(JSON.stringify(facts, (_key, value: unknown) => typeof value === 'bigint' ? String(value) : value)) as Json
}

function checkFacts (t: Test, facts: Fact[], { facts: written = [], movements, no = [] }: Reading): void {
  for (const fact of written) {
    const observed = facts.filter(candidate => candidate.fact === fact.fact)
    t.ok(observed.some(candidate => has(candidate, fact)), `tells ${JSON.stringify(fact)}`, { observed: readable(observed) })
  }
  if (movements !== undefined) t.equal(movementsOf(facts).length, movements, 'as many movements', { observed: readable(facts) })
  for (const kind of no) t.notOk(facts.some(fact => fact.fact === kind), `tells no ${kind}`, { observed: readable(facts) })
}

function checkReading (t: Test, result: IdentifiedDelivery | Unusable, reads: Reading): void {
  if ('reason' in result) {
    t.fail(`is ${result.reason}: ${result.detail}`)
    return
  }
  const { event_id, subject, type, customer_id, occurred_at, test } = reads
  const named = { event_id, subject, type, customer_id, occurred_at, test }
  for (const [member, value] of Object.entries(named)) {
    if (value !== undefined) t.equal(result[member as keyof typeof named], value, member)
  }
  // A test delivery need not have the fields of a real one, and is never projected.
  if (!result.test) checkFacts(t, factsOf(result.body), reads)
}

for (const [name, sample] of samples) {
  test(`${name}: ${sample.shows}`, async t => {
    const { reads } = sample
    const result = identify(bytesOf(sample))
    if ('reason' in reads) {
      t.match(result, reads)
      return
    }
    checkReading(t, result, reads)
    if (sample.equals !== undefined) {
      const [one, other] = [identified(name), identified(sample.equals)]
      t.equal(keyOf(one), keyOf(other), `the same event as ${sample.equals}`)
      t.equal(one.fact_digest, other.fact_digest, `the same facts as ${sample.equals}`)
    }
    if (sample.same_movement_as !== undefined) {
      const [one, other] = [identified(name), identified(sample.same_movement_as)]
      t.not(keyOf(one), keyOf(other), `another event than ${sample.same_movement_as}`)
      t.strictSame(movementsOf(factsOf(one.body)), movementsOf(factsOf(other.body)), `the same movement as ${sample.same_movement_as}`)
    }
  })
}

const BOTH = ['webhook', 'distribution']
const VOUCHER_LOYALTY = ['points_added', 'points_expired', 'pending_points.added', 'pending_points.updated', 'pending_points.activated', 'pending_points.canceled']

/** Every event that moves or explains points and orders, and the sources by which it can come (provider facts §6). */
const EVENTS: Array<[types: string[], sources: string[]]> = [
  [['customer.rewarded.loyalty_points', 'customer.rewarded', ...['created', 'pending', 'completed'].map(state => `customer.reward_redemptions.${state}`)], BOTH],
  [['voucher.loyalty_card.transaction.created'], ['webhook']],
  [VOUCHER_LOYALTY.map(what => `voucher.loyalty_card.${what}`), ['webhook']],
  [VOUCHER_LOYALTY.map(what => `customer.voucher.loyalty_card.${what}`), ['distribution']],
  [['redemption.succeeded', 'redemption.rollback.succeeded'], ['webhook']],
  [['customer.redemption.succeeded', 'customer.redemption.rollback.succeeded'], ['distribution']],
  [['created', 'updated', 'paid', 'canceled'].map(state => `customer.order.${state}`), ['distribution']],
  [['created', 'updated', 'deleted'].map(change => `customer.${change}`), ['webhook']],
  [['joined', 'left', 'upgraded', 'downgraded', 'prolonged'].map(change => `customer.loyalty.tier.${change}`), ['distribution']],
  [['created', 'updated', 'published', 'enabled', 'disabled', 'deleted'].map(change => `voucher.${change}`), ['webhook']],
  [['created', 'deleted'].map(change => `customer.holder.assignment.${change}`), ['webhook']]
]

const KINDS = ['opening', 'accrual', 'redemption', 'refund', 'expiration', 'addition', 'removal', 'transfer_in', 'transfer_out']
const POINTS = ['ACCRUAL', 'REDEMPTION', 'REFUND', 'ADDITION', 'REMOVAL', 'EXPIRATION', 'TRANSFER_IN', 'TRANSFER_OUT'].map(type => `POINTS_${type}`)
const CREDITS = ['REDEMPTION', 'REFUND', 'ADDITION', 'REMOVAL'].map(type => `CREDITS_${type}`)

/** The samples that are read, with what their wrapping shows. */
const read = [...samples].flatMap(([name, { body = {}, body_text, reads }]) => 'reason' in reads ? [] : [{ name, reads, ...wrapping(body_text === undefined ? body : JSON.parse(body_text) as JsonObject) }])

function wrapping (body: JsonObject): { envelope: string, type: Json | undefined, data: JsonObject } {
  const data = isObject(body.data) ? body.data : {}
  if (body.object === 'event') return { envelope: ['v2018', ...Object.keys(data).filter(key => /^(related_object|previous_attributes)$/.test(key))].join(' '), type: body.type, data }
  if (!isObject(body.event) || !('data' in body)) return { envelope: 'bare', type: undefined, data: body }
  const source = isObject(body.source) && typeof body.source.object === 'string' ? body.source.object : ''
  const envelope = [source, ...(source === 'distribution' && body.type === '' ? ['untitled'] : []), ...('publication' in data ? ['publication'] : [])].join(' ')
  return { envelope, type: body.event.type, data }
}

test('the samples cover what the provider sends', async t => {
  t.ok(samples.size >= 60, `${samples.size} samples`)
  for (const [types, sources] of EVENTS) {
    for (const type of types) {
      for (const source of sources) t.ok(read.some(sample => sample.type === type && sample.envelope.startsWith(source) && !sample.reads.test), `${type} by ${source}`)
    }
  }
  for (const envelope of ['webhook', 'distribution', 'distribution untitled', 'distribution untitled publication', 'v2018', 'v2018 related_object', 'v2018 previous_attributes', 'bare']) {
    t.ok(read.some(sample => sample.envelope === envelope), `the envelope: ${envelope}`)
  }
  const written = read.flatMap(({ reads }) => reads.facts ?? [])
  for (const kind of KINDS) t.ok(written.some(fact => fact.fact === 'movement' && fact.kind === kind), `a movement of kind ${kind}`)
  for (const source_rank of [0, 1, 2, 4]) t.ok(written.some(fact => fact.fact === 'movement' && fact.source_rank === source_rank), `a telling of rank ${source_rank}`)
  for (const state of ['added', 'updated', 'activated', 'canceled']) t.ok(written.some(fact => fact.fact === 'pending' && fact.state === state), `pending points ${state}`)
  for (const fact of ['card', 'customer', 'order', 'tier']) t.ok(written.some(observed => observed.fact === fact), `a fact of a ${fact}`)
  for (const type of [...POINTS, 'PENDING_POINTS_ACTIVATION', ...CREDITS]) {
    t.ok(read.some(({ data, type: event }) => event === 'voucher.loyalty_card.transaction.created' && isObject(data.transaction) && data.transaction.type === type), `a row of type ${type}`)
  }
  for (const status of ['CREATED', 'PAID', 'FULFILLED', 'CANCELED']) t.ok(written.some(fact => fact.fact === 'order' && fact.status === status), `an order ${status}`)
  for (const reason of ['unidentified', 'invalid_payload', 'not_json', 'not_an_object']) {
    t.ok([...samples.values()].some(({ reads }) => 'reason' in reads && reads.reason === reason), `a delivery that is ${reason}`)
  }
})

test('every sample says what it shows, under a name to find it by, and invents whom it names', async t => {
  for (const file of files) {
    const text = textOf(file)
    t.match(file, /^[a-z][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*)*\.json$/, file)
    t.equal(text, `${JSON.stringify(JSON.parse(text), null, 2)}\n`, `${file} is printed as all are`)
    for (const [address] of text.matchAll(/[\w.+-]+@[\w.-]+/g)) t.match(address, /@example\.com$/, `${file}: nobody's address`)
  }
  for (const [name, { shows, body, body_text, reads }] of samples) {
    t.match(shows, /^[A-Z].{15,}\.$/s, `${name} says what it shows`)
    t.not(body === undefined, body_text === undefined, `${name} has one body`)
    t.ok('reason' in reads || reads.test || reads.movements !== undefined, `${name} says how many movements`)
  }
  t.equal(new Set([...samples.values()].map(({ shows }) => shows)).size, samples.size, 'no two show the same')
  t.equal(new Set(files.map(file => file.toLowerCase())).size, files.length, 'names differ by more than capitals')
})

test('two samples are the same event only where they say so', async t => {
  const keys = new Map<string, string>()
  for (const { name, reads } of read) {
    const { equals } = sampleOf(name)
    if (equals !== undefined || reads.test) continue
    const key = `${reads.event_id} about ${reads.subject ?? ''}`
    t.equal(keys.get(key), undefined, `${name}: ${key}`)
    keys.set(key, name)
  }
})

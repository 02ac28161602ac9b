import assert from 'node:assert/strict'
import { fc } from '../support/chance.ts'
import { test } from 'tap'
import { SOURCE_RANK } from '../../src/ledger/facts.ts'
import { parseInstant } from '../../src/ledger/instant.ts'
import { mergeLatest, observeFields, type Latest } from '../../src/ledger/latest.ts'
import { mergeObservations, type RecordedObservation } from '../../src/ledger/movements.ts'
import { addHolderObservations, holderOf, type HolderObservation } from '../../src/ledger/holders.ts'
import { outstanding, type RecordedLotState } from '../../src/ledger/pending.ts'
import { compareText } from '../../src/ledger/text.ts'
import { compareStates, compareOrderObservations, statusRank, type OrderState } from '../../src/ledger/orders.ts'
import { KINDS, moment } from './histories.ts'
import { always } from './property.ts'

test('a moment is kept to the microsecond, in UTC, in one width', async t => {
  const written: Array<[string, string]> = [
    ['2024-01-18T15:19:20.676Z', '2024-01-18T15:19:20.676000Z'],
    ['2024-01-18T15:18:39.015000Z', '2024-01-18T15:18:39.015000Z'],
    ['2024-01-18T15:19:26.501570Z', '2024-01-18T15:19:26.501570Z'],
    ['2024-01-18T15:19:20Z', '2024-01-18T15:19:20.000000Z'],
    ['2024-01-18T15:19:20.1Z', '2024-01-18T15:19:20.100000Z'],
    ['2024-01-18T15:19:20.123456999Z', '2024-01-18T15:19:20.123456Z'],
    ['2024-01-18t15:19:20.676z', '2024-01-18T15:19:20.676000Z'],
    ['2024-01-18T15:19:20.676001+02:00', '2024-01-18T13:19:20.676001Z'],
    ['2024-01-01T00:30:00.000001+05:45', '2023-12-31T18:45:00.000001Z'],
    ['2024-02-28T23:59:59.999999-00:01', '2024-02-29T00:00:59.999999Z'],
    ['2024-01-18 15:19:20.676+00', '2024-01-18T15:19:20.676000Z'],
    ['2024-01-18 15:19:20.676-0330', '2024-01-18T18:49:20.676000Z'],
    ['1969-12-31T23:59:59.999999Z', '1969-12-31T23:59:59.999999Z'],
    ['2000-02-29T12:00:00Z', '2000-02-29T12:00:00.000000Z']
  ]
  for (const [text, instant] of written) t.equal(parseInstant(text), instant, text)
})

test('what is not a moment, or not one moment, is refused', async t => {
  const refused = [
    '', 'yesterday', '2024', '2024-01-18', '1705591160', '20240118T151920Z',
    '2024-01-18T15:19:20', '2024-01-18T15:19:20.676', '2024-01-18 15:19:20', '2024-01-18T15:19Z',
    '2024-02-30T00:00:00Z', '2023-02-29T00:00:00Z', '1900-02-29T00:00:00Z', '2024-04-31T00:00:00Z', '2024-13-01T00:00:00Z', '2024-00-10T00:00:00Z', '2024-01-00T00:00:00Z',
    '2024-01-18T25:00:00Z', '2024-01-18T24:00:00.000001Z', '0000-01-01T00:00:00Z', '0001-01-01T00:00:00+05:00', '2024-01-18T15:60:00Z', '2024-01-18T15:19:61Z', '2024-01-18T15:19:20+24:00', '2024-01-18T15:19:20+2:00',
    '2024-01-18T15:19:20.Z', ' 2024-01-18T15:19:20Z', '2024-01-18T15:19:20Z\n', '2024-01-18T15:19:20ZZ',
    '9999-12-31T23:59:59-00:01', '+012024-01-18T15:19:20Z', '-2024-01-18T15:19:20Z'
  ]
  for (const text of refused) t.equal(parseInstant(text), undefined, JSON.stringify(text))
  t.equal(parseInstant('2024-01-18T15:19:60Z'), '2024-01-18T15:20:00.000000Z', 'a leap second is the next one')
  t.equal(parseInstant('2023-12-31T23:59:60.75-00:00'), '2024-01-01T00:00:00.750000Z')
  t.equal(parseInstant('2024-01-18T15:19:20.1234567890Z'), '2024-01-18T15:19:20.123456Z', 'as many digits as one likes')
})

test('the order of the texts is the order of the moments', async t => {
  const far = 8_000_000_000_000_000n
  const microseconds = fc.oneof(fc.bigInt(-far, far), fc.bigInt(0n, 3000n))
  const offset = fc.integer({ min: -23 * 60 - 59, max: 23 * 60 + 59 })
  always(t, fc.property(microseconds, microseconds, offset, offset, (a, b, zoneA, zoneB) => {
    const [first, second] = [parseInstant(spell(a, zoneA)), parseInstant(spell(b, zoneB))]
    assert.ok(first !== undefined && second !== undefined, 'a moment that exists is read')
    assert.equal(compareText(first, second), Number(a > b) - Number(a < b), `${first} and ${second}`)
    assert.equal(first.length, 27)
    // Read again it is itself, and as a Date it is the same millisecond.
    assert.equal(parseInstant(first), first)
    assert.equal(Date.parse(first), Number(floor(a, 1000n)))
  }))
  t.equal(compareText('a', 'B'), 1, 'by code units, not by a language')
  t.equal(compareText('é', 'f'), 1)
  t.equal(compareText('b', 'b'), 0)
})

/** Microseconds since 1970, written with a zone `offset` minutes ahead of UTC. */
function spell (microseconds: bigint, offset: number): string {
  const local = new Date(Number(floor(microseconds, 1000n)) + offset * 60_000).toISOString()
  const micros = microseconds - floor(microseconds, 1000n) * 1000n
  const two = (n: number): string => String(n).padStart(2, '0')
  const zone = `${offset < 0 ? '-' : '+'}${two(Math.floor(Math.abs(offset) / 60))}:${two(Math.abs(offset) % 60)}`
  return `${local.slice(0, 23)}${String(micros).padStart(3, '0')}${zone}`
}

function floor (dividend: bigint, divisor: bigint): bigint {
  const remainder = ((dividend % divisor) + divisor) % divisor
  return (dividend - remainder) / divisor
}

type Field = 'name' | 'email' | 'source_id'

const clock = fc.nat(3).map(moment)
const value = fc.option(fc.constantFrom('', 'a', 'b', 'é'))
const latest: fc.Arbitrary<Latest<Field>> = fc.array(
  fc.tuple(fc.record({ name: value, email: value, source_id: value }, { requiredKeys: [] }), clock), { maxLength: 3 }
).map(observations => observations.map(([fields, at]) => observeFields(fields, at)).reduce(mergeLatest, { values: {}, field_times: {} }))

test('the newest telling of a field wins, and a field that is not told stays', async t => {
  const old = observeFields<Field>({ name: 'Jack', email: 'jack@example.org', source_id: 'jck' }, moment(1))
  const young = observeFields<Field>({ name: 'Jack W.', email: null }, moment(2))
  for (const merged of [mergeLatest(old, young), mergeLatest(young, old)]) {
    t.strictSame(merged, {
      values: { name: 'Jack W.', email: null, source_id: 'jck' },
      field_times: { name: moment(2), email: moment(2), source_id: moment(1) }
    }, 'null is a value: the address was removed')
  }
  const [first, second] = [observeFields<Field>({ name: 'Ann' }, moment(1)), observeFields<Field>({ name: 'Bob' }, moment(1))]
  t.strictSame(mergeLatest(first, second).values, { name: 'Bob' }, 'told for the same moment, the greater one')
  t.strictSame(mergeLatest(second, first).values, { name: 'Bob' })
  t.strictSame(mergeLatest(observeFields<Field>({ name: null }, moment(1)), first).values, { name: 'Ann' }, 'and any text before none')
  t.strictSame(old.values.name, 'Jack', 'merging leaves its inputs alone')
})

test('merging what was told last is commutative, associative and idempotent', async t => {
  always(t, fc.property(latest, latest, latest, (a, b, c) => {
    assert.deepEqual(mergeLatest(a, b), mergeLatest(b, a))
    assert.deepEqual(mergeLatest(mergeLatest(a, b), c), mergeLatest(a, mergeLatest(b, c)))
    assert.deepEqual(mergeLatest(a, a), a)
    assert.deepEqual(mergeLatest(mergeLatest(a, b), b), mergeLatest(a, b))
  }))
})

const observation: fc.Arbitrary<RecordedObservation> = fc.record({
  event_id: fc.constantFrom('ev_1', 'ev_2', 'ev_3', 'ev_4', 'ev_5'),
  subject: fc.constantFrom('award:ern_1:v_1', 'transaction:vtx_1'),
  movement_id: fc.constant('award:ev_0:ern_1:v_1'),
  card_id: fc.constant('v_1'),
  source_rank: fc.constantFrom(...Object.values(SOURCE_RANK)),
  kind: fc.constantFrom(...KINDS),
  points: fc.option(fc.bigInt(-3n, 3n), { freq: 6 }),
  reported_balance: fc.option(fc.bigInt(0n, 5n)),
  observed_balance: fc.option(fc.bigInt(0n, 5n)),
  occurred_at: clock,
  recorded_at: clock,
  order_id: fc.option(fc.constantFrom('ord_1', 'ord_2')),
  earning_rule_id: fc.option(fc.constantFrom('ern_1', 'ern_2')),
  holder_id: fc.constant(null),
  details: fc.constant(null),
  fact_digest: fc.constantFrom('aa', 'bb')
})
// An event is stored once, so it tells a movement in one way.
const observations = fc.uniqueArray(observation, { minLength: 1, maxLength: 6, selector: one => `${one.event_id} ${one.subject}` })

function seen (rest: Partial<RecordedObservation>): RecordedObservation {
  return {
    event_id: 'ev_1',
    subject: 'award:ern_1:v_1',
    movement_id: 'award:ev_0:ern_1:v_1',
    card_id: 'v_1',
    source_rank: SOURCE_RANK.enveloped,
    kind: 'accrual',
    points: 5n,
    reported_balance: null,
    observed_balance: null,
    occurred_at: moment(2),
    recorded_at: moment(5),
    order_id: null,
    earning_rule_id: null,
    holder_id: null,
    details: null,
    fact_digest: 'bb',
    ...rest
  }
}

test('the better source_rank telling of a movement wins field by field, and the first to arrive dates the knowledge', async t => {
  const bare = seen({ source_rank: SOURCE_RANK.bare, event_id: 'ev_bare', occurred_at: moment(1), recorded_at: moment(3), points: 6n, order_id: 'ord_1', earning_rule_id: 'ern_9', reported_balance: 9n })
  const enveloped = seen({ event_id: 'ev_env', reported_balance: 7n, earning_rule_id: 'ern_1' })
  const row = seen({ source_rank: SOURCE_RANK.transaction, event_id: 'ev_row', subject: 'transaction:vtx_1', occurred_at: moment(4), recorded_at: moment(9), kind: 'addition' })
  for (const observed of [[bare, enveloped, row], [row, enveloped, bare], [enveloped, bare, row]]) {
    t.strictSame(mergeObservations(observed), {
      movement_id: 'award:ev_0:ern_1:v_1',
      card_id: 'v_1',
      kind: 'addition',
      points: 5n,
      reported_balance: 7n,
      observed: false,
      occurred_at: moment(4),
      dated_at: null,
      exact: true,
      recorded_at: moment(3),
      order_id: 'ord_1',
      earning_rule_id: 'ern_1',
      event_id: 'ev_row'
    })
  }
  t.strictSame(mergeObservations([bare])?.recorded_at, moment(3))
  t.throws(() => mergeObservations([]), RangeError)
})

test('of two tellings as well source_rank, the smaller (occurred_at, fact_digest) wins, then the key of the event', async t => {
  const winners: Array<[winner: Partial<RecordedObservation>, other: Partial<RecordedObservation>]> = [
    [{ occurred_at: moment(1), fact_digest: 'bb' }, { occurred_at: moment(2), fact_digest: 'aa' }],
    [{ fact_digest: 'aa', event_id: 'ev_2' }, { fact_digest: 'bb', event_id: 'ev_1' }],
    [{ event_id: 'ev_1', subject: 'b' }, { event_id: 'ev_2', subject: 'a' }],
    [{ subject: 'a' }, { subject: 'b' }]
  ]
  for (const [winner, other] of winners) {
    const [best, rest] = [seen({ ...winner, points: 1n, recorded_at: moment(8) }), seen({ ...other, points: 2n, recorded_at: moment(7) })]
    for (const merged of [mergeObservations([best, rest]), mergeObservations([rest, best])]) {
      t.equal(merged?.points, 1n, 'arrival decides nothing')
      t.equal(merged?.recorded_at, moment(7), 'but when we knew')
    }
  }
})

test('the merger depends on the set of tellings: any order, any repetition', async t => {
  const repeated = observations.chain(observed => fc.tuple(
    fc.constant(observed),
    fc.shuffledSubarray(observed, { minLength: observed.length }),
    fc.array(fc.constantFrom(...observed), { maxLength: 4 })
  ))
  always(t, fc.property(repeated, ([observed, shuffled, again]) => {
    const merged = mergeObservations(observed)
    assert.deepEqual(mergeObservations([...shuffled, ...again]), merged)
    assert.deepEqual(mergeObservations([...again, ...shuffled]), merged)
    if (merged === undefined) {
      assert.ok(observed.every(one => one.points === null), 'only what nobody tells is not counted')
      return
    }
    const best = Math.max(...observed.map(one => one.source_rank))
    assert.ok(observed.some(one => one.source_rank === best && one.event_id === merged.event_id && one.kind === merged.kind), 'the best source_rank wins')
    const stated = observed.some(one => one.reported_balance !== null)
    for (const field of ['points', 'reported_balance', 'order_id', 'earning_rule_id'] as const) {
      // A snapshot's balance counts where nobody states one.
      if (field === 'reported_balance' && !stated) continue
      const known = observed.filter(one => one[field] !== null)
      const most = Math.max(...known.map(one => one.source_rank))
      assert.ok(known.length === 0 ? merged[field] === null : known.some(one => one.source_rank === most && one[field] === merged[field]), field)
    }
    assert.equal(merged.observed, !stated && observed.some(one => one.observed_balance !== null))
    if (merged.observed) assert.ok(observed.some(one => one.observed_balance === merged.reported_balance), 'a balance that a snapshot shows')
    assert.equal(merged.recorded_at, observed.map(one => one.recorded_at).sort()[0])
  }))
})

const state = fc.record({
  status: fc.constantFrom('CREATED', 'PAID', 'FULFILLED', 'CANCELED', 'ON_HOLD', ''),
  updated_at: clock,
  recorded_at: clock,
  state_digest: fc.constantFrom('aa', 'bb', 'cc'),
  event_id: fc.constantFrom('ev_1', 'ev_2'),
  subject: fc.constantFrom('order:ord_1', 'award:ern_1:v_1')
}).map(one => ({ ...one, status_rank: statusRank(one.status) }) as OrderState)

test('an order goes from created to paid to fulfilled to canceled; a status we do not know hides none of them', async t => {
  const statuses = ['ON_HOLD', 'CREATED', 'PAID', 'FULFILLED', 'CANCELED']
  t.strictSame([...statuses].reverse().sort((a, b) => statusRank(a) - statusRank(b)), statuses)
  t.strictSame(new Set(statuses.map(statusRank)).size, 5)
  t.equal(statusRank('paid'), statusRank('ON_HOLD'), 'a status is spelled in capitals')
})

test('the newest state is by time, then status, then digest', async t => {
  const at = (n: number, status: string, state_digest: string): OrderState =>
    ({ updated_at: moment(n), status, status_rank: statusRank(status), state_digest }) as OrderState
  const oldestFirst = [at(1, 'CANCELED', 'bb'), at(2, 'WEIRD', 'zz'), at(2, 'CREATED', 'zz'), at(2, 'PAID', 'aa'), at(2, 'PAID', 'bb'), at(2, 'CANCELED', 'aa'), at(3, 'CREATED', 'aa')]
  t.strictSame([...oldestFirst].reverse().sort(compareStates), oldestFirst)
  t.equal(compareStates(at(2, 'PAID', 'aa'), { ...at(2, 'PAID', 'aa'), recorded_at: moment(9), event_id: 'ev_9' }), 0, 'who told it makes no other state')
})

test('states, and tellings of a state, are in a total order', async t => {
  always(t, fc.property(state, state, state, (a, b, c) => {
    for (const compare of [compareStates, compareOrderObservations]) {
      const sign = (x: OrderState, y: OrderState): number => Math.sign(compare(x, y))
      // Plus zero, since 0 and −0 are two for a strict comparison.
      assert.equal(sign(a, b) + 0, -sign(b, a) + 0, 'antisymmetric')
      assert.ok(sign(a, b) > 0 || sign(b, c) > 0 || sign(a, c) <= 0, 'transitive')
    }
    const key = (one: OrderState): string => [one.updated_at, one.status_rank, one.state_digest].join()
    assert.equal(compareStates(a, b) === 0, key(a) === key(b), 'one place for one state')
    const observation = (one: OrderState): string => [one.recorded_at, one.event_id, one.subject].join()
    assert.equal(compareOrderObservations(a, b) === 0, observation(a) === observation(b), 'one place for one telling')
    assert.ok(a.recorded_at >= b.recorded_at || compareOrderObservations(a, b) < 0, 'the earlier telling comes first')
  }))
})

const lotState: fc.Arbitrary<RecordedLotState> = fc.record({
  pending_id: fc.constant('lopp_1'),
  card_id: fc.constant('v_1'),
  state: fc.constantFrom('added', 'updated', 'activated', 'canceled'),
  points: fc.bigInt(0n, 5n),
  occurred_at: clock,
  recorded_at: clock
}).map(seen => seen.state === 'activated' || seen.state === 'canceled' ? { ...seen, points: 0n } : seen)

test('what is outstanding of a lot depends on the set of its states: the newest says it, and an ended lot stays ended', async t => {
  const lot = (state: RecordedLotState['state'], points: bigint, at: number): RecordedLotState =>
    ({ pending_id: 'lopp_1', card_id: 'v_1', state, points, occurred_at: moment(at), recorded_at: moment(at) })
  t.equal(outstanding([]), 0n)
  t.equal(outstanding([lot('updated', 7n, 2), lot('added', 5n, 1)]), 7n)
  t.equal(outstanding([lot('added', 5n, 1), lot('activated', 0n, 2), lot('updated', 7n, 3)]), 0n, 'what was observed late does not bring it back')
  t.equal(outstanding([lot('updated', 7n, 1), lot('added', 5n, 1)]), 7n, 'of one moment an update is newer')
  const shuffled = fc.array(lotState, { minLength: 1, maxLength: 6 }).chain(seen => fc.tuple(fc.constant(seen), fc.shuffledSubarray(seen, { minLength: seen.length }), fc.array(fc.constantFrom(...seen))))
  always(t, fc.property(shuffled, ([seen, again, more]) => {
    assert.equal(outstanding([...again, ...more]), outstanding(seen))
    assert.ok(seen.every(({ state }) => state === 'added' || state === 'updated') || outstanding(seen) === 0n)
  }))
})

const holderObservation: fc.Arbitrary<HolderObservation> = fc.record({ customer_id: fc.constantFrom('cust_1', 'cust_2', 'cust_3'), held: fc.boolean(), occurred_at: clock })
const holderObservations = fc.array(holderObservation, { maxLength: 6 })

test('the holder is who was told newest, unless let go since; the order of tellings says nothing', async t => {
  const observed = (customer_id: string, held: boolean, at: number): HolderObservation => ({ customer_id, held, occurred_at: moment(at) })
  const holder = (...all: HolderObservation[]): string | null => holderOf(addHolderObservations([], all))
  t.equal(holder(), null)
  t.equal(holder(observed('cust_2', true, 2), observed('cust_1', true, 1)), 'cust_2')
  t.equal(holder(observed('cust_1', true, 1), observed('cust_1', false, 1)), null, 'let go in the same moment')
  t.equal(holder(observed('cust_1', true, 1), observed('cust_2', true, 2), observed('cust_1', false, 3)), 'cust_2', 'somebody else let go')
  t.equal(holder(observed('cust_1', true, 1), observed('cust_2', true, 2), observed('cust_2', false, 3)), null, 'nobody gets it back by that')
  t.equal(holder(observed('cust_1', false, 2), observed('cust_1', true, 3)), 'cust_1', 'and taken again')
  always(t, fc.property(holderObservations, holderObservations, (a, b) => {
    const together = addHolderObservations([], [...a, ...b])
    assert.deepEqual(addHolderObservations(addHolderObservations([], a), b), together)
    assert.deepEqual(addHolderObservations(addHolderObservations([], b), a), together)
    assert.deepEqual(addHolderObservations(together, a), together)
  }))
})

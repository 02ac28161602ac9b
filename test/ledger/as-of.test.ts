import assert from 'node:assert/strict'
import { fc } from '../support/chance.ts'
import { test } from 'tap'
import { balanceOf, foldCard, isMovement, movementOf, type Folded, type StatementLine } from '../../src/ledger/card.ts'
import { SOURCE_RANK } from '../../src/ledger/facts.ts'
import type { Instant } from '../../src/ledger/instant.ts'
import type { RecordedObservation } from '../../src/ledger/movements.ts'
import type { RecordedLotState } from '../../src/ledger/pending.ts'
import { cutAt, foldAsKnown, holderAmong, movementsKnown, pendingAt, type AsOf } from '../../src/ledger/as-of.ts'
import { NO_TOTALS, withoutTail, withStretch, type Totals } from '../../src/ledger/totals.ts'
import { hour, KINDS, moment } from './histories.ts'
import { always } from './property.ts'

const occurred = fc.nat(5).map(hour)
const recorded = fc.nat(6).map(moment)

/** Tellings of a few movements. Two of one movement can differ in all they tell, its time included. */
const observations = fc.array(fc.record({
  name: fc.nat(7),
  source_rank: fc.constantFrom(...Object.values(SOURCE_RANK)),
  kind: fc.constantFrom(...KINDS),
  points: fc.option(fc.bigInt(-3n, 3n), { freq: 9 }),
  reported_balance: fc.option(fc.bigInt(0n, 6n), { freq: 2 }),
  observed_balance: fc.option(fc.bigInt(0n, 6n), { freq: 1 }),
  occurred_at: occurred,
  recorded_at: recorded
}), { maxLength: 14 }).map(observed => observed.map(({ name, ...one }, index): RecordedObservation => ({
  ...one,
  movement_id: `m${name}`,
  card_id: 'v_1',
  order_id: null,
  earning_rule_id: null,
  holder_id: null,
  details: null,
  event_id: `ev_${index}`,
  subject: '-',
  fact_digest: 'aa'
})))

const asOf: fc.Arbitrary<AsOf> = fc.record({ at: fc.option(fc.nat(6).map(hour)), known_at: fc.option(fc.nat(7).map(moment)) })

/** By the definition: only what was told by then, folded afresh. */
function afresh (observed: readonly RecordedObservation[], { at, known_at }: AsOf): Folded {
  const known = observed.filter(({ recorded_at }) => known_at === null || recorded_at <= known_at)
  return cutAt(foldCard(movementsKnown(known, null), null), at, null)
}

function totalsOf (folded: Folded): Totals {
  return withStretch(NO_TOTALS, folded)
}

test('what had happened by a moment is a prefix of the statement, and the balance is that of its last line', async t => {
  always(t, fc.property(observations, asOf, (observed, { at, known_at }) => {
    const whole = afresh(observed, { at: null, known_at })
    const then = afresh(observed, { at, known_at })
    const prefix = whole.lines.filter(({ occurred_at }) => at === null || occurred_at <= at)
    assert.deepEqual(then.lines, prefix)
    assert.equal(then.balance, prefix.at(-1)?.balance ?? 0n)

    // The sums come by taking the rest of the lines back, without folding again.
    const last = prefix.findLast(isMovement)
    const rest = whole.lines.slice(prefix.length).map(({ kind, points }) => ({ kind, points, lines: 1n }))
    const totals = withoutTail(totalsOf(whole), rest, { balance: prefix.at(-1)?.balance ?? null, last_movement_at: last?.occurred_at ?? null })
    assert.deepEqual(totals, totalsOf(then))
    assert.equal(totals.balance, balanceOf(totals))
    assert.equal(totals.balance, then.balance)
  }))
})

test('folding only what was told anew, over what stands, is folding all that had been told', async t => {
  always(t, fc.property(observations, asOf, (observed, { at, known_at }) => {
    const live = afresh(observed, { at: null, known_at: null })
    const late = observed.filter(({ recorded_at }) => known_at !== null && recorded_at > known_at).map(({ movement_id }) => movement_id)
    const reobserved = observed.filter(({ movement_id }) => late.includes(movement_id))
    const [changed = hour(99)] = reobserved.map(({ occurred_at }) => occurred_at).sort()
    // What comes after a stated balance cannot change what was before it.
    const from = live.lines.findLast(line => line.occurred_at < changed && line.reported_balance !== null && line.kind !== 'unexplained')?.occurred_at ?? hour(0)
    const standing = live.lines.filter(line => line.occurred_at < from && happened(line, at))
    const kept = live.lines.filter(line => line.occurred_at >= from && !late.includes(line.movement_id))
      .map(line => movementOf({ ...line, card_id: 'v_1' })).filter(movement => movement !== undefined)
    const before = live.lines.findLast(line => line.occurred_at < from)?.balance ?? null
    const tail = foldAsKnown(kept, reobserved, before, { at, known_at })
    assert.deepEqual([...standing, ...tail.lines], afresh(observed, { at, known_at }).lines)
  }))
})

function happened (line: StatementLine, at: Instant | null): boolean {
  return at === null || line.occurred_at <= at
}

test('opening, movements and what is unexplained make the balance, at every moment of both field_times', async t => {
  always(t, fc.property(observations, asOf, (observed, then) => {
    const { lines, sums, balance } = afresh(observed, then)
    const before = lines[0] === undefined ? 0n : lines[0].balance - lines[0].points
    assert.equal(balance, before + lines.reduce((sum, { points }) => sum + points, 0n))
    assert.equal(balance, balanceOf(sums))
    assert.equal(sums.unexplained, lines.filter(({ kind }) => kind === 'unexplained').reduce((sum, { points }) => sum + points, 0n))
  }))
})

test('a telling that comes later can move a movement in time: it stands once, where it was known to stand', async t => {
  const [first, second] = [SOURCE_RANK.bare, SOURCE_RANK.transaction].map((source_rank, index): RecordedObservation => ({
    movement_id: 'm',
    card_id: 'v_1',
    source_rank,
    kind: 'accrual',
    points: 5n,
    reported_balance: null,
    observed_balance: null,
    occurred_at: moment(4 - 3 * index),
    recorded_at: moment(index),
    order_id: null,
    earning_rule_id: null,
    holder_id: null,
    details: null,
    event_id: `ev_${index}`,
    subject: '-',
    fact_digest: 'aa'
  }))
  const observed = [first, second] as RecordedObservation[]
  const times = (at: Instant | null, known_at: Instant | null): Instant[] => movementsKnown(observed, known_at).map(({ occurred_at }) => occurred_at).filter(time => at === null || time <= at)
  t.strictSame(times(null, null), [moment(1)])
  t.strictSame(times(null, moment(0)), [moment(4)])
  t.strictSame(times(moment(2), null), [moment(1)])
  t.strictSame(times(moment(2), moment(0)), [], 'by what was known it had not happened yet')
})

test('pending points of then: a lot that ended later was still outstanding, a telling that came later was not known', async t => {
  const seen = (state: RecordedLotState['state'], points: bigint, at: number, known: number, pending_id = 'lot_1'): RecordedLotState =>
    ({ pending_id, card_id: 'v_1', state, points, occurred_at: moment(at), recorded_at: moment(known) })
  const observed = [seen('added', 30n, 1, 1), seen('updated', 40n, 2, 5), seen('activated', 0n, 4, 4), seen('added', 7n, 3, 3, 'lot_2')]
  const at = (then: number | null, known: number | null): bigint => pendingAt(observed, [], { at: then === null ? null : moment(then), known_at: known === null ? null : moment(known) }).pending
  t.strictSame([at(null, null), at(3, null), at(1, null), at(0, null), at(null, 3), at(3, 4), at(null, 4)], [7n, 47n, 30n, 0n, 37n, 37n, 7n])
})

test('who held it: by the newest telling, unless that customer let it go', async t => {
  const observation = (customer_id: string, held: boolean, at: number): Parameters<typeof holderAmong>[0][number] => ({ customer_id, held, occurred_at: moment(at) })
  t.equal(holderAmong([]), null)
  t.equal(holderAmong([observation('a', true, 1), observation('b', true, 2)]), 'b')
  t.equal(holderAmong([observation('a', true, 1), observation('a', false, 2)]), null)
  t.equal(holderAmong([observation('a', true, 1), observation('b', true, 3), observation('a', false, 4)]), 'b')
})

import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'tap'
import type { Movement } from '../../src/ledger/movements.ts'
import { sequence } from '../../src/ledger/sequence.ts'
import { arrivals, histories, moment } from './histories.ts'
import { always } from './property.ts'
import { sequenceByDefinition } from './sequence-definition.ts'

interface Stated { points: bigint, reported_balance: bigint | null }

/** Movements of one moment; `index` is their order by identity. */
function crowd (stated: readonly Stated[]): Movement[] {
  return stated.map(({ points, reported_balance }, index) => ({
    movement_id: `m${String(index).padStart(6, '0')}`,
    card_id: 'v_1',
    kind: 'accrual',
    points,
    reported_balance,
    observed: false,
    occurred_at: moment(0),
    dated_at: null,
    exact: true,
    recorded_at: moment(1),
    order_id: null,
    earning_rule_id: null,
    event_id: `ev_${index}`
  }))
}

function from (before: bigint, after: bigint): Stated {
  return { points: after - before, reported_balance: after }
}

function ids (movements: readonly Movement[]): string[] {
  return movements.map(({ movement_id }) => movement_id)
}

/**
 * Movements between few balances: with chance joins, rings, forks, dead ends and jumps, and some that state no balance.
 */
function crowds (longest: number): fc.Arbitrary<Movement[]> {
  const stated = fc.integer({ min: 1, max: 40 }).chain(balances => fc.array(
    fc.record({ before: fc.nat(balances), after: fc.nat(balances), silent: fc.integer({ min: 0, max: 5 }).map(n => n === 0) })
      .map(({ before, after, silent }): Stated => silent ? { points: BigInt(after - before), reported_balance: null } : from(BigInt(before), BigInt(after))),
    { minLength: 1, maxLength: longest, size: 'max' }
  ))
  return stated.map(crowd)
}

const before = fc.option(fc.bigInt(-2n, 20n))

test('the order is the one of the definition, whether the balances join up or not', async t => {
  always(t, fc.property(crowds(100), before, (movements, balance) => {
    assert.deepEqual(ids(sequence(movements, balance)), ids(sequenceByDefinition(movements, balance)))
  }))
  always(t, fc.property(arrivals(histories({ silent: true, dropped: true })), before, ({ arrived }, balance) => {
    assert.deepEqual(ids(sequence(arrived, balance)), ids(sequenceByDefinition(arrived, balance)))
  }))
})

test('the order of a crowded moment depends on the set of its movements only', async t => {
  const shuffled = crowds(400).chain(movements => fc.tuple(fc.constant(movements), fc.shuffledSubarray(movements, { minLength: movements.length })))
  always(t, fc.property(shuffled, before, ([movements, arrived], balance) => {
    const ordered = sequence(arrived, balance)
    assert.deepEqual(ids(ordered), ids(sequence(movements, balance)))
    assert.equal(new Set(ordered).size, movements.length, 'each movement once')
  }), 100)
})

/** Shapes of a moment that took, or could take, time in the square of its length. */
const shapes: Array<[shape: string, of: (length: number) => Stated[]]> = [
  ['no two movements join', length => Array.from({ length }, (_, n) => from(BigInt(n * 10), BigInt(n * 10 + 1)))],
  ['no two join, from the greatest balance down', length => Array.from({ length }, (_, n) => from(BigInt((length - n) * 10), BigInt((length - n) * 10 + 1)))],
  ['all of one balance', length => Array.from({ length }, () => from(5n, 5n))],
  ['no balances', length => Array.from({ length }, (_, n) => ({ points: BigInt(n), reported_balance: null }))],
  ['a chain with a ring at each balance', length => {
    const links = Array.from({ length: length / 2 }, (_, n) => BigInt(n))
    return [...links.map(n => from(n, n + 1n)), ...links.map(n => from(n, n))]
  }],
  ['a chain with a long way to a dead end at each balance', length => {
    const chain = Array.from({ length: length / 4 }, (_, n) => BigInt(n))
    const far = 1_000_000n
    return [...chain.map(n => from(n, n + 1n)), ...chain.map(n => from(n, far)), ...Array.from({ length: length / 2 }, (_, n) => from(far + BigInt(n), far + BigInt(n) + 1n))]
  }],
  ['many short trails, each with a long way to a dead end', length => {
    const starts = Array.from({ length: length / 4 }, (_, n) => BigInt(n * 10))
    const far = 1_000_000n
    return [...starts.map(n => from(n, n + 1n)), ...starts.map(n => from(n, far)), ...Array.from({ length: length / 2 }, (_, n) => from(far + BigInt(n), far + BigInt(n) + 1n))]
  }],
  ['jumps that equal amounts bridge', length => {
    const jumps = Array.from({ length: length / 2 }, (_, n) => BigInt(n * 10))
    return [...jumps.map(n => from(n, n + 3n)), ...jumps.map(() => ({ points: 7n, reported_balance: null }))]
  }],
  ['jumps that none of many amounts bridges', length => {
    const jumps = Array.from({ length: length / 2 }, (_, n) => BigInt(n * 10))
    return [...jumps.map(n => from(n, n + 1n)), ...jumps.map(n => ({ points: n + 5n, reported_balance: null }))]
  }]
]

/** CPU time, which neighbours on the same machine lengthen less than the time on the wall. */
function cpuOf (movements: readonly Movement[]): number {
  const began = process.cpuUsage()
  sequence(movements, 0n)
  const { user, system } = process.cpuUsage(began)
  return user + system
}

/** n log n is 10 times as much, n² is 64 times. */
const bound = (shorter_us: number): number => 40 * Math.max(shorter_us, 1_000)

test('a moment of 16,000 movements takes about ten times as long as one of 2,000, whatever its shape', async t => {
  for (const [shape, of] of shapes) {
    const [short, long] = [crowd(of(2_000)), crowd(of(16_000))]
    cpuOf(short)
    // The least of up to seven rounds: what another took longer went to garbage and to neighbours.
    let [less, more] = [Infinity, Infinity]
    for (let round = 0; round < 7 && !(more < bound(less)); round++) {
      less = Math.min(less, cpuOf(short))
      more = Math.min(more, cpuOf(long))
    }
    t.ok(more < bound(less), `${shape}: ${(less / 1000).toFixed(1)} ms, then ${(more / 1000).toFixed(1)} ms`)
  }
})

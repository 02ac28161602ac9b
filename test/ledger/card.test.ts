import assert from 'node:assert/strict'
import { fc } from '../support/chance.ts'
import { test } from 'tap'
import { addToSums, balanceOf, foldCard, NO_SUMS, type Folded, type StatementLine, type Sums } from '../../src/ledger/card.ts'
import type { MovementKind } from '../../src/ledger/facts.ts'
import type { Movement } from '../../src/ledger/movements.ts'
import { balanceBefore, sequence } from '../../src/ledger/sequence.ts'
import { arrivals, histories, moment, tellHistory, type History, type Observed } from './histories.ts'
import { always } from './property.ts'

/** A movement at the n-th moment. Its identity says nothing of its place. */
function movement (at: number, points: bigint, reported_balance: bigint | null, rest: Partial<Movement> = {}): Movement {
  return {
    movement_id: `m${at}:${points}`,
    card_id: 'v_1',
    kind: 'accrual',
    points,
    reported_balance,
    observed: false,
    occurred_at: moment(at),
    dated_at: null,
    exact: true,
    recorded_at: moment(at + 1),
    order_id: null,
    earning_rule_id: null,
    event_id: `ev_${at}`,
    ...rest
  }
}

function statement (folded: Folded): Array<[kind: StatementLine['kind'], points: bigint, balance: bigint]> {
  return folded.lines.map(line => [line.kind, line.points, line.balance])
}

function sums (some: Partial<Sums>): Sums {
  return { ...NO_SUMS, ...some }
}

function sum (points: readonly bigint[]): bigint {
  return points.reduce((total, one) => total + one, 0n)
}

test('given one award with its balance, then the card opened at what was there before it', async t => {
  const award = movement(0, 900n, 900n, { order_id: 'ord_1', earning_rule_id: 'ern_1' })
  t.strictSame(foldCard([award], null), {
    lines: [{
      movement_id: 'm0:900',
      kind: 'accrual',
      points: 900n,
      balance: 900n,
      reported_balance: 900n,
      observed: false,
      occurred_at: moment(0),
      dated_at: null,
      exact: true,
      recorded_at: moment(1),
      ordinal: 0,
      order_id: 'ord_1',
      earning_rule_id: 'ern_1',
      event_id: 'ev_0'
    }],
    sums: sums({ earned: 900n }),
    balance: 900n,
    balance_stated_at: moment(0),
    even: true
  })
  t.strictSame(foldCard([movement(0, 900n, 1000n)], null).sums, sums({ opening: 100n, earned: 900n }))
  t.strictSame(foldCard([], null), { lines: [], sums: sums({}), balance: 0n, balance_stated_at: null, even: true })
  t.strictSame(foldCard([], 7n), { lines: [], sums: sums({}), balance: 7n, balance_stated_at: null, even: true }, 'a stretch without movements moves nothing')
})

test('given a spend we never heard of, then the next award shows it as a line of its own, before itself', async t => {
  const first = movement(0, 900n, 900n)
  const second = movement(2, 100n, 700n)
  const folded = foldCard([second, first], null)
  t.strictSame(statement(folded), [['accrual', 900n, 900n], ['unexplained', -300n, 600n], ['accrual', 100n, 700n]])
  t.strictSame(folded.sums, sums({ earned: 1000n, unexplained: -300n }))
  t.strictSame(folded.lines[1], {
    movement_id: 'unexplained:m2:100',
    kind: 'unexplained',
    points: -300n,
    balance: 600n,
    reported_balance: 600n,
    observed: false,
    occurred_at: moment(2),
    dated_at: null,
    exact: true,
    recorded_at: moment(3),
    ordinal: 0,
    order_id: null,
    earning_rule_id: null,
    event_id: 'ev_2'
  })
  t.equal(folded.lines[2]?.ordinal, 1, 'the movement comes second in its moment')

  const half = movement(1, -200n, 700n, { kind: 'redemption' })
  t.strictSame(statement(foldCard([first, second, half], null)),
    [['accrual', 900n, 900n], ['redemption', -200n, 700n], ['unexplained', -100n, 600n], ['accrual', 100n, 700n]],
    'a part of it that arrives late makes the line shrink')
  const whole = movement(1, -300n, null, { kind: 'redemption' })
  t.strictSame(foldCard([first, second, whole], null).sums, sums({ earned: 1000n, spent: 300n }), 'and the whole makes it disappear')
})

test('given two awards of one moment, then the balances say which came first, whatever their names', async t => {
  for (const [one, five] of [['a', 'b'], ['b', 'a']] as const) {
    const folded = foldCard([movement(3, 5n, 16n, { movement_id: five }), movement(3, 1n, 11n, { movement_id: one })], null)
    t.strictSame(folded.lines.map(line => [line.movement_id, line.balance, line.ordinal]), [[one, 11n, 0], [five, 16n, 1]])
    t.strictSame(folded.sums, sums({ opening: 10n, earned: 6n }))
  }
})

test('given several movements of one moment, then a trail through all their balances is found', async t => {
  // From 10 the shortest way on is not the true one: only with the loop 10 → 30 → 10 first do all join up.
  const loop = [movement(1, -20n, 10n), movement(1, 5n, 15n), movement(1, 20n, 30n)]
  t.strictSame(sequence(loop, 10n).map(balanceBefore), [10n, 30n, 10n])
  t.strictSame(foldCard(loop, 10n).sums, sums({ earned: 5n }))

  const bridge = [movement(1, 7n, 22n), movement(1, 3n, 13n), movement(1, 2n, null)]
  t.strictSame(statement(foldCard(bridge, 10n)), [['accrual', 3n, 13n], ['accrual', 2n, 15n], ['accrual', 7n, 22n]],
    'a movement without a balance stands where it joins two others')

  const jump = [movement(1, 1n, 101n), movement(1, 1n, 51n), movement(1, 1n, 52n)]
  t.strictSame(statement(foldCard(jump, 0n)),
    [['unexplained', 50n, 50n], ['accrual', 1n, 51n], ['accrual', 1n, 52n], ['unexplained', 48n, 100n], ['accrual', 1n, 101n]],
    'where nothing joins up the smallest balance that begins a trail comes next')

  const aside = [['a', 1n, 1n], ['b', 5n, 5n], ['c', 2n, 7n], ['d', -2n, 5n], ['e', 2n, 7n]] as const
  t.strictSame(sequence(aside.map(([movement_id, points, after]) => movement(1, points, after, { movement_id })).reverse(), 0n).map(one => one.movement_id),
    ['a', 'b', 'c', 'd', 'e'], 'a trail that does not lead back comes after, and what is equal in it stays in the order of identity')

  const lonely = [movement(1, 3n, null), movement(1, 5n, 15n)]
  t.strictSame(statement(foldCard(lonely, 10n)), [['accrual', 5n, 15n], ['accrual', 3n, 18n]],
    'a movement without a balance that joins nothing comes last')

  const equal = ['c', 'a', 'b'].map(movement_id => movement(1, 0n, 5n, { movement_id }))
  t.strictSame(sequence(equal, 5n).map(one => one.movement_id), ['a', 'b', 'c'], 'what balances do not settle, identity does')
  const silent = ['c', 'a', 'b'].map(movement_id => movement(1, 4n, null, { movement_id }))
  t.strictSame(sequence(silent, null).map(one => one.movement_id), ['a', 'b', 'c'])
})

test('given movements that differ in microseconds only, then they are not of one moment', async t => {
  const folded = foldCard([
    { ...movement(0, 5n, 5n), occurred_at: moment(0).replace('998000', '998002') as Movement['occurred_at'] },
    { ...movement(0, 2n, 7n), occurred_at: moment(0).replace('998000', '998001') as Movement['occurred_at'] }
  ], null)
  t.strictSame(statement(folded), [['accrual', 2n, 7n], ['unexplained', -7n, 0n], ['accrual', 5n, 5n]])
  t.strictSame(folded.lines.map(line => line.ordinal), [0, 0, 1])
})

test('every kind has its sum: magnitudes for what was earned or went, signs for what can go both ways', async t => {
  const expected: Array<[MovementKind, bigint, Partial<Sums>]> = [
    ['accrual', 5n, { earned: 5n }],
    ['redemption', -5n, { spent: 5n }],
    ['refund', 5n, { refunded: 5n }],
    ['expiration', -5n, { expired: 5n }],
    ['addition', 5n, { adjusted: 5n }],
    ['removal', -5n, { adjusted: -5n }],
    ['transfer_in', 5n, { transferred: 5n }],
    ['transfer_out', -5n, { transferred: -5n }]
  ]
  for (const [kind, points, added] of expected) {
    const { sums: got, balance } = foldCard([movement(0, points, null, { kind })], 100n)
    t.strictSame(got, sums(added), kind)
    t.equal(balance, 100n + points)
    addToSums(got, kind, points, -1n)
    t.strictSame(got, sums({}), 'and what was added can be taken back')
  }
  const each: Sums = { opening: 1n, earned: 10n, refunded: 100n, spent: 1000n, expired: 10000n, adjusted: 100000n, transferred: 1000000n, unexplained: 10000000n }
  t.equal(balanceOf(each), 1n + 10n + 100n - 1000n - 10000n + 100000n + 1000000n + 10000000n)
})

test('any order of arrival folds to the same statement', async t => {
  always(t, fc.property(arrivals(histories({ silent: true, dropped: true })), ({ observed, arrived }) => {
    assert.deepEqual(foldCard(arrived, null), foldCard(observed.movements, null))
    assert.deepEqual(foldCard(arrived, observed.opening), foldCard(observed.movements, observed.opening))
  }))
})

test('whatever is told, withheld or lost, the statement adds up', async t => {
  always(t, fc.property(arrivals(histories({ silent: true, dropped: true })), fc.option(fc.bigInt(-3n, 20n)), ({ arrived }, before) => {
    const folded = foldCard(arrived, before)
    const { lines, sums, balance } = folded
    const opening = before ?? sums.opening
    assert.ok(before === null || sums.opening === 0n, 'only a first stretch opens a card')
    assert.ok(balance === opening + sum(lines.map(line => line.points)), 'balance = opening + lines')
    assert.ok(balance === (before ?? 0n) + balanceOf(sums), 'balance = the sums')
    assert.ok(sums.unexplained === sum(lines.filter(line => line.kind === 'unexplained').map(line => line.points)), 'the unexplained sum = the unexplained lines')

    const movements = lines.filter(line => line.kind !== 'unexplained')
    assert.deepEqual(movements.sort(byId).map(kept), [...arrived].sort(byId).map(kept), 'every movement has one line')
    let running = opening
    for (const [index, line] of lines.entries()) {
      running += line.points
      const last = lines[index - 1]
      assert.ok(line.balance === running, 'each line carries the running balance')
      assert.ok(line.reported_balance === null || line.reported_balance === line.balance, 'the figure of the provider stands')
      assert.ok(line.kind !== 'unexplained' || line.points !== 0n, 'nothing is not a line')
      assert.ok(line.kind !== 'unexplained' || lines[index + 1]?.movement_id === line.movement_id.slice('unexplained:'.length), 'it stands before the movement that showed it')
      assert.ok(last === undefined || last.occurred_at <= line.occurred_at, 'lines stand in time')
      assert.ok(line.ordinal === (last?.occurred_at === line.occurred_at ? last.ordinal + 1 : 0), 'lines of a moment are numbered')
    }
  }))
})

/**
 * Everything was told, balances included. Left out: cards whose *first* moment returns to the balance it set out from.
 * Its balances form a ring, and a ring has no beginning: 100 → 50 → 100 reads as 50 → 100 → 50 just as well.
 */
const fullyTold = histories().filter(history => {
  const first = sum(history.moments[0]?.map(step => step.points) ?? [])
  return first !== 0n || history.moments[0]?.every(step => step.points === 0n) === true
})

test('when everything is told nothing is unexplained, though many share a moment, and the opening is the true one', async t => {
  always(t, fc.property(arrivals(fullyTold), ({ observed, arrived }) => {
    const folded = foldCard(arrived, null)
    assert.deepEqual(folded.lines.filter(line => line.kind === 'unexplained'), [])
    assert.ok(folded.sums.opening === observed.opening, 'the opening is the true one')
    assert.ok(folded.balance === observed.balance, 'so is the balance')
  }))
  // From a known balance there is nothing to guess, rings included.
  always(t, fc.property(arrivals(histories()), ({ observed, arrived }) => {
    const folded = foldCard(arrived, observed.opening)
    assert.ok(folded.sums.unexplained === 0n && folded.lines.length === arrived.length, 'nothing is unexplained')
    assert.ok(folded.balance === observed.balance, 'the balance is the true one')
  }))
})

test('one long moment: hundreds of movements that share a microsecond still join up', async t => {
  const crowd = fc.array(fc.bigInt(-2n, 3n), { minLength: 200, maxLength: 400 }).map((points): History => ({
    opening: 50n,
    moments: [points.map((points, index) => ({ kind: 'accrual', points, name: (index * 37) % 100, silent: false, dropped: false }))]
  }))
  always(t, fc.property(arrivals(crowd), ({ observed, arrived }) => {
    const folded = foldCard(arrived, 50n)
    assert.ok(folded.sums.unexplained === 0n && folded.lines.length === arrived.length && folded.balance === observed.balance, 'joined up')
  }), 25)
})

/**
 * The last movement states its balance, alone in its moment. Not alone it need not be found to be the last: of
 * 10 → 20 and 0 → 10 with a lost −20 between them the balances say 0 → 10 → 20.
 */
test('whatever was lost before, the balance is right again at a movement that states it', async t => {
  const ending = fc.record({ history: histories({ silent: true, dropped: true }), points: fc.bigInt(-9n, 9n) })
    .map(({ history: { opening, moments }, points }): History => ({
      opening, moments: [...moments, [{ kind: 'addition', points, name: 0, silent: false, dropped: false }]]
    }))
  always(t, fc.property(arrivals(ending), ({ observed, arrived }) => {
    assert.ok(foldCard(arrived, null).balance === observed.balance, 'the balance is the true one')
  }))
})

test('what was lost between two stated balances is exactly what is unexplained', async t => {
  // One movement a moment; the first and the last are told in full.
  const alone = histories({ dropped: true }).map(({ opening, moments }): History => {
    const steps = moments.flat()
    return { opening, moments: steps.map((step, at) => [{ ...step, dropped: step.dropped && at > 0 && at < steps.length - 1 }]) }
  })
  always(t, fc.property(arrivals(alone), ({ observed, arrived }) => {
    const { lines, sums } = foldCard(arrived, null)
    assert.ok(sums.opening === observed.opening, 'the opening is the true one')
    assert.ok(sums.unexplained === observed.balance - observed.opening - sum(arrived.map(one => one.points)), 'unexplained = lost')
    assert.ok(lines.filter(line => line.kind === 'unexplained').length <= observed.moments.filter(moment => moment.length === 0).length, 'a gap is one line at most')
  }))
})

test('folding in two stretches, cut between any two moments, is folding at once', async t => {
  const cut = histories({ silent: true, dropped: true }).map(tellHistory).chain(observed => fc.tuple(fc.constant(observed), fc.nat(observed.moments.length)))
  always(t, fc.property(cut, ([observed, at]) => {
    const whole = foldCard(observed.movements, null)
    const [early, late] = stretches(observed, at)
    // The first stated balance says with what the card opened: until then the whole history is one stretch.
    const states = (movements: readonly Movement[]): boolean => movements.some(({ reported_balance }) => reported_balance !== null)
    if (early.length > 0 && !states(early) && states(late)) return
    const head = foldCard(early, null)
    // A card without an earlier movement has no earlier balance.
    const tail = foldCard(late, early.length === 0 ? null : head.balance)
    assert.deepEqual([...head.lines, ...tail.lines], whole.lines)
    assert.deepEqual(added(head.sums, tail.sums), whole.sums)
    assert.equal(tail.balance, whole.balance)
  }))
})

function stretches (observed: Observed, at: number): [Movement[], Movement[]] {
  return [observed.moments.slice(0, at).flat(), observed.moments.slice(at).flat()]
}

function added (a: Sums, b: Sums): Sums {
  return Object.fromEntries((Object.keys(a) as Array<keyof Sums>).map(name => [name, a[name] + b[name]])) as unknown as Sums
}

/** What a line keeps of its movement. */
function kept (of: Movement | StatementLine): unknown {
  const { balance: _, ordinal: __, card_id: ___, ...movement } = of as StatementLine & { card_id?: string }
  return movement
}

function byId (a: Movement | StatementLine, b: Movement | StatementLine): number {
  return a.movement_id < b.movement_id ? -1 : 1
}

test('where some movements of a moment state no balance and an order without a gap exists, it is found', async t => {
  const steps = fc.array(fc.record({ points: fc.bigInt(-4n, 4n), silent: fc.boolean(), name: fc.nat(99) }), { minLength: 1, maxLength: 9 })
  always(t, fc.property(steps, fc.bigInt(0n, 20n), (moves, before) => {
    let balance = before
    const observed = moves.map(({ points, silent, name }, index) => {
      balance += points
      return movement(0, points, silent ? null : balance, { movement_id: `m${name}-${index}` })
    })
    const folded = foldCard(observed, before)
    assert.equal(folded.sums.unexplained, 0n)
    assert.equal(folded.balance, balance)
  }))
})

test('what a card was made with stands first, or nowhere: it never takes away points told to have come before', async t => {
  const opening = (at: number, points: bigint): Movement => ({ ...movement(at, points, points), movement_id: 'opening:v_1', kind: 'opening' })
  t.match(foldCard([opening(0, 50n), movement(1, 5n, 55n)], null), { balance: 55n, sums: sums({ opening: 50n, earned: 5n }), lines: [{ kind: 'opening' }, { kind: 'accrual' }] })
  t.match(foldCard([opening(0, 0n), movement(1, 5n, 145n)], null), { balance: 145n, sums: sums({ opening: 0n, earned: 5n, unexplained: 140n }) }, 'we know where it began')
  t.match(foldCard([opening(1, 0n), movement(0, 100n, 100n)], null), { balance: 100n, sums: sums({ earned: 100n }), lines: [{ kind: 'accrual' }] }, 'a clock of another source was ahead')
  t.match(foldCard([opening(2, 500n), { ...movement(1, -100n, null), kind: 'redemption' }], null), { balance: 400n, sums: sums({ opening: 500n, spent: 100n }), lines: [{ kind: 'redemption', balance: 400n }] }, 'what is dated before and states no balance began from it')
  t.match(foldCard([opening(1, 50n), movement(1, 5n, 55n)], null), { balance: 55n, sums: sums({ opening: 50n, earned: 5n }) }, 'in one moment the opening is first')
  t.match(foldCard([opening(1, 50n), movement(2, 5n, 55n)], 7n), { balance: 55n, sums: sums({ opening: 0n, earned: 5n, unexplained: 43n }) }, 'behind a balance it says nothing')
})

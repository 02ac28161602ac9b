import assert from 'node:assert/strict'
import { fc, LONG } from '../support/chance.ts'
import { test } from 'tap'
import { addToSums, balanceOf, foldCard, isMovement, NO_SUMS } from '../../src/ledger/card.ts'
import { SOURCE_RANK, type CardObservation, type Fact, type MovementObservation, type PendingObservation, type SnapshotObservation } from '../../src/ledger/facts.ts'
import { cardsAt, customerCardsAt } from '../../src/history/cards-at.ts'
import { linesAt } from '../../src/history/statement.ts'
import { groupBy } from '../../src/ledger/group-by.ts'
import { addHolderObservations, holderOf, type HolderObservation } from '../../src/ledger/holders.ts'
import type { Instant } from '../../src/ledger/instant.ts'
import { RUNNING_TOTALS_EVERY, readRunningTotals } from '../../src/ledger/totals.ts'
import { mergeObservations, type RecordedObservation } from '../../src/ledger/movements.ts'
import { outstanding, pendingBy } from '../../src/ledger/pending.ts'
import { cutAt, type AsOf } from '../../src/ledger/as-of.ts'
import { cards } from '../../src/projections/cards/projection.ts'
import type { Observed } from '../../src/engine/projection.ts'
import type { LineMark } from '../../src/projections/cards/reads.sql.ts'
import { findBarelyKnown } from '../../src/history/lines.sql.ts'
import type { Db, Trx } from '../../src/postgres/database.ts'
import { inSnapshot } from '../../src/engine/snapshot.sql.ts'
import type { StatementLineRow } from '../../src/postgres/tables.ts'
import { openLedger } from '../support/ledger.ts'
import { KINDS, moment } from '../ledger/histories.ts'

const CUSTOMERS = ['cust_a', 'cust_b', 'cust_c']
const occurred = fc.nat(5).map(moment)
const recorded = fc.nat(6).map(moment)
const holder = fc.option(fc.constantFrom(...CUSTOMERS), { freq: 2 })

/** One event: what it tells, and when it was stored. */
interface Event { facts: Fact[], recorded_at: Instant }

const movementEvent: fc.Arbitrary<Event> = fc.record({
  name: fc.nat(6),
  // The first kind is what most of a statement is; an opening comes once.
  kind: fc.constantFrom(...KINDS, 'opening' as const),
  source_rank: fc.constantFrom(...Object.values(SOURCE_RANK)),
  points: fc.option(fc.bigInt(-3n, 3n), { freq: 8 }),
  reported_balance: fc.option(fc.bigInt(0n, 6n), { freq: 2 }),
  observed_balance: fc.option(fc.bigInt(0n, 6n), { freq: 1 }),
  occurred_at: occurred,
  recorded_at: recorded,
  holder_id: holder
}).map(({ name, recorded_at, ...observed }) => {
  // The making of a card tells its holder at the time of the event, and the points at the time of the making.
  const named = observed.kind === 'opening' ? { movement_id: 'opening:v', holder_id: null } : { movement_id: `m${name}` }
  const movement: MovementObservation = { fact: 'movement', card_id: 'v', ...observed, ...named, order_id: null, earning_rule_id: null, details: null }
  return { recorded_at, facts: [movement, cardFact(observed.occurred_at, observed.holder_id ?? undefined)] }
})

const snapshotEvent: fc.Arbitrary<Event> = fc.record({
  balance: fc.option(fc.bigInt(0n, 6n), { freq: 4 }),
  pending: fc.option(fc.bigInt(0n, 12n), { freq: 1 }),
  occurred_at: occurred,
  recorded_at: recorded
}).map(({ recorded_at, ...shown }) => {
  const snapshot: SnapshotObservation = { fact: 'snapshot', card_id: 'v', ...shown }
  return { recorded_at, facts: [snapshot, cardFact(shown.occurred_at)] }
})

const pendingEvent: fc.Arbitrary<Event> = fc.record({
  pending_id: fc.constantFrom('lot_1', 'lot_2'),
  state: fc.constantFrom('added' as const, 'updated' as const, 'activated' as const, 'canceled' as const),
  points: fc.bigInt(1n, 9n),
  occurred_at: occurred,
  recorded_at: recorded,
  holder_id: holder
}).map(({ recorded_at, points, ...observed }) => {
  const ended = observed.state === 'activated' || observed.state === 'canceled'
  const lot: PendingObservation = { fact: 'pending', card_id: 'v', ...observed, points: ended ? 0n : points, activates_on: null, order_id: null, earning_rule_id: null }
  return { recorded_at, facts: [lot, cardFact(observed.occurred_at, observed.holder_id ?? undefined)] }
})

const holderEvent: fc.Arbitrary<Event> = fc.record({ customer: fc.constantFrom(...CUSTOMERS), held: fc.boolean(), occurred_at: occurred, recorded_at: recorded })
  .map(({ customer, held, occurred_at, recorded_at }) => ({ recorded_at, facts: [held ? cardFact(occurred_at, customer) : cardFact(occurred_at, undefined, customer)] }))

function cardFact (occurred_at: Instant, holder_id?: string, released_id?: string): CardObservation {
  return { fact: 'card', card_id: 'v', occurred_at, fields: {}, ...(holder_id === undefined ? {} : { holder_id }), ...(released_id === undefined ? {} : { released_id }) }
}

/** How far apart the moments of a story are: in one millisecond, within one window or two, or beyond all windows. */
const spans = fc.constantFrom(499, 4_000_000, 9_000_000, 40_000_000)

const story = fc.record({
  span: spans,
  events: fc.array(fc.oneof({ weight: 6, arbitrary: movementEvent }, { weight: 3, arbitrary: snapshotEvent }, { weight: 2, arbitrary: pendingEvent }, { weight: 1, arbitrary: holderEvent }), { minLength: 1, maxLength: 14 }),
  batches: fc.integer({ min: 1, max: 4 }),
  asOf: fc.array(fc.record({ at: fc.option(fc.nat(6).map(moment)), known_at: fc.option(fc.nat(7).map(moment)) }), { minLength: 1, maxLength: 4 })
}).map(({ span, events, asOf, ...story }) => ({
  ...story,
  events: events.map(({ facts, recorded_at }) => ({ recorded_at, facts: facts.map(fact => 'occurred_at' in fact ? { ...fact, occurred_at: spread(fact.occurred_at, span) } : fact) })),
  asOf: asOf.map(({ at, known_at }) => ({ known_at, at: at === null ? null : spread(at, span) }))
}))

const BEGINNING = Date.parse('2024-03-11T13:20:00Z')

/** The same moment of a story whose moments are so many microseconds apart. */
function spread (at: Instant, span: number): Instant {
  const index = Array.from({ length: 10 }, (_, n) => n).find(n => moment(n) === at) ?? 0
  const microseconds = index * span
  return `${new Date(BEGINNING + Math.floor(microseconds / 1000)).toISOString().slice(0, 23)}${String(microseconds % 1000).padStart(3, '0')}Z` as Instant
}

/** The events as the projection is told them: of a card, and of customers, that are the story's own. */
function observeFields (events: readonly Event[], story: number): Observed[][] {
  return events.map(({ facts, recorded_at }, index) => facts.map(fact => ({
    fact: ofStory(fact, story), event_id: `ev_${index}`, subject: String(story), recorded_at, fact_digest: Buffer.alloc(32, index % 3)
  })))
}

function ofStory<F extends Fact> (fact: F, story: number): F {
  const owned = Object.entries(fact).map(([name, value]) => [name, OWNED.has(name) && typeof value === 'string' ? `${value}:${story}` : value])
  return Object.fromEntries(owned) as F
}
const OWNED = new Set(['card_id', 'movement_id', 'holder_id', 'released_id'])

/** The answer by the definition: everything told by then, merged and folded afresh. */
function byDefinition (observed: readonly Observed[], { at, known_at }: AsOf) {
  const known = observed.filter(({ recorded_at }) => known_at === null || recorded_at <= known_at)
  const happened = (time: Instant): boolean => at === null || time <= at
  const observations = known.flatMap(({ fact, fact_digest, ...event }): RecordedObservation[] =>
    fact.fact === 'movement' ? [{ ...fact, observed_balance: fact.observed_balance ?? null, ...event, fact_digest: fact_digest.toString('hex') }] : [])
  const movements = [...groupBy(observations, ({ movement_id }) => movement_id).values()].map(mergeObservations)
    .filter(movement => movement !== undefined)
  const shown = known.flatMap(({ fact, recorded_at }) => fact.fact === 'snapshot' ? [{ ...fact, recorded_at }] : [])
  const seen = new Map<string, { card_id: string, occurred_at: Instant, balance: bigint, recorded_at: Instant }>()
  for (const { card_id, occurred_at, balance, recorded_at } of shown.toSorted((a, b) => a.recorded_at < b.recorded_at ? -1 : 1)) {
    const key = `${occurred_at} ${balance}`
    if (balance !== null && !seen.has(key)) seen.set(key, { card_id, occurred_at, balance, recorded_at })
  }
  const snapshots = [...seen.values()]
  const { lines, sums, balance, balance_stated_at } = cutAt(foldCard(movements, null, { snapshots }), at, null, snapshots)
  const lots = known.flatMap(({ fact, recorded_at }) => fact.fact === 'pending' && happened(fact.occurred_at) ? [{ ...fact, recorded_at }] : [])
  const inLots = [...groupBy(lots, ({ pending_id }) => pending_id).values()].reduce((sum, lot) => sum + outstanding(lot), 0n)
  const totals = shown.flatMap(({ pending, occurred_at }) => pending === null || !happened(occurred_at) ? [] : [{ occurred_at, points: pending }])
  const newest = totals.map(({ occurred_at }) => occurred_at).sort().at(-1)
  const { pending, pending_unexplained } = pendingBy(inLots, totals.filter(({ occurred_at }) => occurred_at === newest), lots)
  const holders = known.flatMap(({ fact }): HolderObservation[] => fact.fact !== 'card'
    ? []
    : [
        ...(fact.holder_id === undefined ? [] : [{ customer_id: fact.holder_id, held: true, occurred_at: fact.occurred_at }]),
        ...(fact.released_id === undefined ? [] : [{ customer_id: fact.released_id, held: false, occurred_at: fact.occurred_at }])
      ].filter(({ occurred_at }) => happened(occurred_at)))
  const moved = lines.filter(isMovement)
  return {
    lines,
    card: {
      ...sums,
      balance,
      pending,
      pending_unexplained,
      balance_stated_at,
      movements: BigInt(moved.length),
      first_movement_at: moved[0]?.occurred_at ?? null,
      last_movement_at: moved.at(-1)?.occurred_at ?? null,
      customer_id: holderOf(addHolderObservations([], holders))
    }
  }
}

async function walk (trx: Trx, card_id: string, asOf: AsOf, limit: number): Promise<StatementLineRow[]> {
  const walked: StatementLineRow[] = []
  for (let before: LineMark | undefined; ;) {
    const page = await linesAt(trx, [card_id], asOf, { before, limit })
    walked.push(...page)
    before = page.at(-1)
    if (page.length < limit) return walked
  }
}

test('any history, at any moment of either clock: what a fresh fold of what had been told by then gives', async t => {
  const ledger = await openLedger(t)
  let stories = 0
  await fc.assert(fc.asyncProperty(story, async ({ events, batches, asOf }) => {
    const story = ++stories
    const card_id = `v:${story}`
    const observed = observeFields(events, story)
    const size = Math.ceil(observed.length / batches)
    for (let start = 0; start < observed.length; start += size) {
      await ledger.db.transaction().execute(async trx => { await cards.apply(trx, observed.slice(start, start + size).flat()) })
    }
    await inSnapshot(ledger.db, async trx => {
      const row = await trx.selectFrom('cards').selectAll().where('card_id', '=', card_id).executeTakeFirstOrThrow()
      const forEver = { at: '2030-01-01T00:00:00.000000Z' as Instant, known_at: moment(99) }
      assert.deepEqual(await cardsAt(trx, [row], forEver), [row], 'at the end of time it is the card as it stands')
      for (const moment of [...asOf, forEver]) {
        const { lines, card } = byDefinition(observed.flat(), moment)
        const [found] = await cardsAt(trx, [row], moment)
        assert.deepEqual({ ...found }, { ...row, ...card })
        assert.equal(card.balance, balanceOf(card), 'and it ties')
        const statement = lines.map(line => ({ ...line, card_id })).reverse()
        for (const limit of [1, 2, 50]) assert.deepEqual((await walk(trx, card_id, moment, limit)).map(plain), statement.map(plain))
        for (const customer of CUSTOMERS.map(name => `${name}:${story}`)) {
          assert.deepEqual(await customerCardsAt(trx, customer, moment), card.customer_id === customer ? [{ ...found, parked_at: null }] : [])
        }
      }
    })
  }), { numRuns: Number(process.env['HISTORIES'] ?? (LONG ? 400 : 20)) })
})

/** A line as people read it. */
function plain ({ running_totals: _, ...line }: StatementLineRow & { running_totals?: unknown }): StatementLineRow {
  return line
}

/** So many movements of a card that a few more, wherever they fall, move its milestones or add one. */
const longHistory = fc.record({
  base: fc.array(fc.record({ kind: fc.constantFrom(...KINDS), points: fc.bigInt(-3n, 3n), reported_balance: fc.option(fc.bigInt(0n, 6n), { freq: 9 }), occurred_at: occurred }), { minLength: 250, maxLength: 262 }),
  observed: story,
  baseFirst: fc.boolean()
})

test('a long history is the same: milestones stand where plain addition puts them, however the lines came to be', async t => {
  const ledger = await openLedger(t)
  let stories = 1000
  let running = 0
  let barelyKnown = 0
  await fc.assert(fc.asyncProperty(longHistory, async ({ base, observed: { events, batches, asOf: drawn }, baseFirst }) => {
    const asOf = [...drawn, { at: null, known_at: moment(0) }]
    const story = ++stories
    const long = base.map(({ ...movement }, index): Event => ({
      recorded_at: moment(index % 7),
      facts: [{ fact: 'movement', card_id: 'v', movement_id: `b${index}`, source_rank: SOURCE_RANK.bare, ...movement, order_id: null, earning_rule_id: null, holder_id: null, details: null }]
    }))
    const observed = observeFields([...long, ...events], story)
    const later = observed.slice(long.length)
    const size = Math.ceil(later.length / batches)
    const steps = [observed.slice(0, long.length), ...Array.from({ length: batches }, (_, index) => later.slice(index * size, (index + 1) * size))]
    for (const step of baseFirst ? steps : steps.toReversed()) {
      await ledger.db.transaction().execute(async trx => { await cards.apply(trx, step.flat()) })
    }
    const card_id = `v:${story}`
    running += await assertMilestones(ledger.db, card_id)
    for (const { known_at } of asOf) barelyKnown += known_at === null ? 0 : (await ledger.db.transaction().execute(async trx => await findBarelyKnown(trx, [card_id], known_at))).size
    await assertStanding(ledger.db, card_id, observed.flat(), asOf)
    // As an older version left them: then more is added up, to the same end.
    await ledger.owner.query('update projection.statement_lines set running_totals = null where card_id = $1', [card_id])
    await assertStanding(ledger.db, card_id, observed.flat(), asOf)
  }), { numRuns: Number(process.env['HISTORIES'] ?? (LONG ? 120 : 6)) })
  t.ok(running > 0, `${running} milestones were compared`)
  t.ok(barelyKnown > 0, `${barelyKnown} times the little that was known was folded from the beginning`)
})

async function assertStanding (db: Db, card_id: string, observed: readonly Observed[], asOf: readonly AsOf[]): Promise<void> {
  await inSnapshot(db, async trx => {
    const row = await trx.selectFrom('cards').selectAll().where('card_id', '=', card_id).executeTakeFirstOrThrow()
    for (const moment of asOf) {
      const { lines, card } = byDefinition(observed, moment)
      assert.deepEqual({ ...(await cardsAt(trx, [row], moment))[0] }, { ...row, ...card })
      assert.deepEqual((await walk(trx, card_id, moment, 100)).map(plain), lines.map(line => ({ ...line, card_id })).reverse())
    }
  })
}

/** @returns how many there are */
async function assertMilestones (db: Db, card_id: string): Promise<number> {
  const lines = await db.selectFrom('statement_lines').selectAll().where('card_id', '=', card_id).orderBy('occurred_at').orderBy('ordinal').execute()
  const [first] = lines
  const sums = { ...NO_SUMS, opening: first === undefined ? 0n : first.balance - first.points }
  let movements = 0n
  let found = 0
  for (const { kind, points, balance, running_totals } of lines) {
    addToSums(sums, kind, points)
    if (isMovement({ kind })) movements += 1n
    const due = isMovement({ kind }) && movements % RUNNING_TOTALS_EVERY === 0n
    assert.deepEqual(running_totals === null ? null : readRunningTotals(running_totals), due ? { ...sums, movements } : null)
    if (due) assert.equal(balanceOf(sums), balance)
    found += due ? 1 : 0
  }
  return found
}

// Whole histories at the provider, from the simulator: what must not matter does not, and what must come out does.
//
//   HISTORIES=10000 npx tap test/projections/histories.test.ts            more of them
//   HISTORY='{"seed":1,…}' npx tap test/projections/histories.test.ts     one of them again, as a failure names it
import fc from 'fast-check'
import { test } from 'tap'
import type { Client } from '../../src/simulator/client.ts'
import type { Delivery } from '../../src/simulator/delivery.ts'
import { createDifferences } from '../../src/simulator/differences.ts'
import { expectationOf } from '../../src/simulator/oracle/expectation.ts'
import { createRandom, type Random } from '../../src/simulator/random.ts'
import { simulate } from '../../src/simulator/simulate.ts'
import { verify } from '../../src/simulator/verifying.ts'
import { settleDelivery } from '../../src/intake/settle.ts'
import { dumpProjections, openLedger, type TestLedger } from '../support/ledger.ts'

type Test = Parameters<typeof openLedger>[0]

/** A history, and how else its deliveries could have arrived. */
interface History {
  seed: number
  customers: number
  events: number
  chaos: 'none' | 'low' | 'high'
  /** Seeds the other arrival: order, repetitions, and which of several sends of one event comes at all. */
  arrival: number
}

const history: fc.Arbitrary<History> = fc.record({
  seed: fc.nat(2 ** 31 - 1),
  customers: fc.integer({ min: 1, max: 3 }),
  events: fc.integer({ min: 8, max: 50 }),
  chaos: fc.constantFrom('none', 'low', 'high'),
  arrival: fc.nat(2 ** 31 - 1)
})

const SHARDS = 4
/** Histories that share a database: their ids never meet, and a fresh database for each would cost more than all the rest. */
const TOGETHER = 100

const HISTORIES = Number(process.env['HISTORIES'] ?? 1000)
const ONE = process.env['HISTORY']

interface Arrivals { sent: Delivery[], otherwise: Delivery[] }

function arrivalsOf (told: History): Arrivals {
  // Of two that contradict each other the first one stands: that is the one thing arrival decides, and it is tested elsewhere.
  const sent = simulate(told).deliveries.filter(({ kind }) => kind !== 'forged' && kind !== 'conflict')
  return { sent, otherwise: otherArrival(sent, createRandom(String(told.arrival))) }
}

/** The same events by another choice of sends, some of them again and again, in any order. */
function otherArrival (sent: readonly Delivery[], random: Random): Delivery[] {
  const sends = groupByKey(sent)
  const chosen = [...sends.values()].flatMap(same => {
    const kept = same.filter(() => random.chance(0.5))
    return kept.length > 0 ? kept : [random.pick(same)]
  })
  const repeated = [...chosen, ...chosen.filter(() => random.chance(0.3))]
  return repeated.map(delivery => ({ delivery, at: random.next() })).sort((a, b) => a.at - b.at).map(({ delivery }) => delivery)
}

function groupByKey (sent: readonly Delivery[]): Map<string, Delivery[]> {
  const sends = new Map<string, Delivery[]>()
  for (const delivery of sent) {
    const key = delivery.key ?? delivery.body.toString('base64')
    sends.set(key, [...sends.get(key) ?? [], delivery])
  }
  return sends
}

/** All at once in large steps, or a few at a time in small ones. */
async function fill (ledger: TestLedger, deliveries: readonly Delivery[], pieces: { deliveries: number, events: number }): Promise<void> {
  const intake = { db: ledger.db, appender: ledger.appender, shards: SHARDS }
  for (let start = 0; start < deliveries.length; start += pieces.deliveries) {
    await Promise.all(deliveries.slice(start, start + pieces.deliveries).map(async ({ body }) => await settleDelivery(body, intake)))
    await ledger.project(pieces.events)
  }
}

/** Every row, without what tells when and by which of several sends something was first recorded. */
async function state (ledger: TestLedger): Promise<Record<string, string[]>> {
  const dump = await dumpProjections(ledger.owner, { recordedAt: false })
  return { ...dump, order_states: (dump.order_states ?? []).map(row => row.replace(/"event_id": "[^"]*"/, '').replace(/"subject": "[^"]*"/, '')).sort() }
}

/** Reads of the app itself, without a network between. */
function reader (ledger: TestLedger): Client {
  return {
    async get (path) {
      const { statusCode, body } = await ledger.get(path)
      return { status: statusCode, json: JSON.parse(body) as unknown, retry_after_seconds: undefined }
    },
    async post () { throw new Error('verifying writes nothing') },
    close () {}
  }
}

async function untied (ledger: TestLedger): Promise<unknown[]> {
  const { rows } = await ledger.owner.query(`
    select k.card_id from projection.cards k left join projection.lines l using (card_id)
    group by k.card_id, k.balance
    having k.balance <> coalesce((array_agg(l.balance - l.points order by l.occurred_at, l.tie))[1], 0) + coalesce(sum(l.points), 0)
        or k.balance <> coalesce((array_agg(l.balance order by l.occurred_at desc, l.tie desc))[1], 0)`)
  return rows
}

/** @returns what is wrong with these histories, in words; nothing when all is well */
async function wrongWith (t: Test, told: readonly History[]): Promise<string[]> {
  const arrivals = told.map(arrivalsOf)
  const wrong: string[] = []
  await t.test('in the order in which they were sent, all at once', async inner => {
    const first = await openLedger(inner, { shards: SHARDS, queueLimit: 20_000 })
    const sent = arrivals.flatMap(({ sent }) => sent)
    await fill(first, sent, { deliveries: 1000, events: 2000 })
    const second = await openLedger(inner, { shards: SHARDS, queueLimit: 20_000 })
    const random = createRandom(String(told[0]?.arrival))
    const otherwise = interleave(arrivals.map(arrival => arrival.otherwise), random)
    await fill(second, otherwise, { deliveries: 1 + Math.ceil(otherwise.length / 20), events: random.integer(3, 60) })

    const [one, other] = [await state(first), await state(second)]
    for (const table of Object.keys(one)) {
      const missing = one[table]?.find((row, index) => other[table]?.[index] !== row)
      if (missing !== undefined || one[table]?.length !== other[table]?.length) wrong.push(`${table} differs by arrival, for example: ${missing}`)
    }
    for (const ledger of [first, second]) {
      const cards = await untied(ledger)
      if (cards.length > 0) wrong.push(`cards that do not tie: ${JSON.stringify(cards)}`)
    }
    const differences = createDifferences()
    await verify(reader(first), expectationOf(sent), differences)
    wrong.push(...differences.kept.map(({ about, field, expected, got }) => `${about}: ${field} should be ${String(expected)}, is ${String(got)}`))
  })
  return wrong
}

/** Takes from several lists by turns, each in its own order. */
function interleave (lists: ReadonlyArray<readonly Delivery[]>, random: Random): Delivery[] {
  return lists.flatMap(list => list.map((delivery, index) => ({ delivery, at: (index + random.next()) / list.length })))
    .sort((a, b) => a.at - b.at).map(({ delivery }) => delivery)
}

/** Which of several histories is to blame: each alone. */
async function blame (t: Test, told: readonly History[], wrong: readonly string[]): Promise<void> {
  for (const one of told) {
    const alone = await wrongWith(t, [one])
    if (alone.length > 0) {
      t.fail(`HISTORY='${JSON.stringify(one)}' npx tap test/projections/histories.test.ts repeats it`, { wrong: alone.slice(0, 20) })
      return
    }
  }
  t.fail('together they are wrong, and none of them is alone', { wrong: wrong.slice(0, 20), told })
}

const told: History[] = ONE === undefined ? fc.sample(history, HISTORIES) : [JSON.parse(ONE) as History]

test(`${told.length} histories: the same rows in any order, repetition and choice of sources, and what the oracle says`, async t => {
  for (let start = 0; start < told.length; start += TOGETHER) {
    const group = told.slice(start, start + TOGETHER)
    const wrong = await wrongWith(t, group)
    if (wrong.length > 0) {
      await blame(t, group, wrong)
      return
    }
  }
  t.pass(`${told.length} histories hold`)
})

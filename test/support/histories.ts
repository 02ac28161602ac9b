// Whole histories at the provider, from the simulator: what must not matter does not, and what must come out does.
import { fc } from './chance.ts'
import type { Test } from 'tap'
import { storeDelivery, type StoredDelivery } from '../../src/ingest/store-delivery.ts'
import type { Client } from '../../simulator/client.ts'
import type { Delivery } from '../../simulator/delivery.ts'
import { createDifferences, type Differences } from '../../simulator/differences.ts'
import { expectedAnswers, type Answer } from '../../simulator/oracle/answers.ts'
import { expectationOf } from '../../simulator/oracle/expectation.ts'
import { createRandom, type Random } from '../../simulator/random.ts'
import { simulate } from '../../simulator/simulate.ts'
import { verify } from '../../simulator/verifying.ts'
import { truthFirst } from './arrivals.ts'
import { dumpProjections, openLedger, type TestLedger } from './ledger.ts'
import { checkTables } from './tables.ts'

/** A history, and how else its deliveries could have arrived. */
export interface History {
  seed: number
  customers: number
  events: number
  chaos: 'none' | 'low' | 'high'
  /** Seeds the other arrival: order, repetitions, and which of several sends of one event comes at all. */
  arrival: number
}

export const history: fc.Arbitrary<History> = fc.record({
  seed: fc.nat(2 ** 31 - 1),
  customers: fc.integer({ min: 1, max: 3 }),
  events: fc.integer({ min: 8, max: 50 }),
  chaos: fc.constantFrom('none', 'low', 'high'),
  arrival: fc.nat(2 ** 31 - 1)
})

const SHARDS = 4

/**
 * Fills two ledgers with the same events, one in the order in which they were sent and all at once, one by another
 * choice of sends, repeated, in any order and in small steps. Contradicting resends stay in, each behind what it
 * contradicts.
 * @param told histories that share the ledgers: their ids never meet
 * @returns what is wrong with them, in words; nothing when all is well
 */
export async function wrongWith (t: Test, observed: readonly History[]): Promise<string[]> {
  const differences = createDifferences()
  await t.test('in the order in which they were sent, and in another', async inner => {
    // A ledger that stops is as wrong as one that says something else.
    await compare(inner, observed, differences).catch((error: unknown) => {
      differences.add({ about: 'the ledger', field: 'error', expected: 'none', got: String(error) })
    })
  })
  return differences.kept.map(({ about, field, expected, got }) => `${about}: ${field} should be ${text(expected)}, is ${text(got)}`)
}

async function compare (t: Test, observed: readonly History[], differences: Differences): Promise<void> {
  const arrivals = observed.map(arrivalsOf)
  const random = createRandom(String(observed[0]?.arrival))
  const sent = arrivals.flatMap(arrival => arrival.sent)
  const otherwise = truthFirst(interleave(arrivals.map(arrival => arrival.otherwise), random))
  const first = await openLedger(t, { shards: SHARDS, queueLimit: 20_000 })
  const second = await openLedger(t, { shards: SHARDS, queueLimit: 20_000 })
  await fill(first, sent, { deliveries: 1000, events: 2000 }, differences)
  await fill(second, otherwise, { deliveries: 1 + Math.ceil(otherwise.length / 20), events: random.integer(3, 150) }, differences)

  const [one, other] = [await state(first), await state(second)]
  for (const table of Object.keys(one)) {
    const row = one[table]?.find((text, index) => other[table]?.[index] !== text)
    if (row !== undefined || one[table]?.length !== other[table]?.length) differences.add({ about: table, field: 'rows', expected: row, got: 'others by another arrival' })
  }
  const expected = expectationOf(sent)
  for (const ledger of [first, second]) await checkTables(ledger.owner, expected, sent, differences)
  await verify(reader(first), expected, differences)
}

function text (value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function arrivalsOf (observed: History): { sent: Delivery[], otherwise: Delivery[] } {
  const sent = truthFirst(simulate(observed).deliveries.filter(({ kind }) => kind !== 'forged'))
  return { sent, otherwise: otherArrival(sent, createRandom(String(observed.arrival))) }
}

/** The same events by another choice of sends, some of them again and again, in any order. */
function otherArrival (sent: readonly Delivery[], random: Random): Delivery[] {
  const sends = groupByKey(sent.filter(({ kind }) => kind !== 'conflict'))
  const chosen = [...sends.values()].flatMap(same => {
    const kept = same.filter(() => random.chance(0.5))
    return kept.length > 0 ? kept : [random.pick(same)]
  })
  const observed = [...chosen, ...sent.filter(({ kind }) => kind === 'conflict' && random.chance(0.7))]
  const repeated = [...observed, ...observed.filter(() => random.chance(0.3))]
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

/** Takes from several lists by turns, each in its own order. */
function interleave (lists: ReadonlyArray<readonly Delivery[]>, random: Random): Delivery[] {
  return lists.flatMap(list => list.map((delivery, index) => ({ delivery, at: (index + random.next()) / list.length })))
    .sort((a, b) => a.at - b.at).map(({ delivery }) => delivery)
}

/** All at once in large steps, or a few at a time in small ones; what becomes of each delivery is compared. */
async function fill (ledger: TestLedger, deliveries: readonly Delivery[], pieces: { deliveries: number, events: number }, differences: Differences): Promise<void> {
  const intake = { db: ledger.db, appender: ledger.appender, shards: SHARDS }
  const { answers } = expectedAnswers(deliveries)
  for (let start = 0; start < deliveries.length; start += pieces.deliveries) {
    await Promise.all(deliveries.slice(start, start + pieces.deliveries).map(async (delivery, index) => {
      const settled = await storeDelivery(delivery.body, intake)
      const expected = answers[start + index]
      if (expected === undefined || !isAnswer(settled, expected, delivery.reason)) {
        differences.add({ about: `delivery of ${delivery.kind} ${delivery.type} (${delivery.key})`, field: 'answer', expected: `${expected} ${delivery.reason}`, got: settled })
      }
    }))
    await ledger.project(pieces.events)
  }
}

function isAnswer (settled: StoredDelivery, expected: Answer, reason: string | undefined): boolean {
  switch (settled.status) {
    case 'accepted': case 'duplicate': return expected === 'stored' || expected === settled.status
    case 'conflict': case 'unusable': return expected === 'quarantined' && settled.reason === reason
  }
}

/** Every row, without what tells when and by which of several sends something was first recorded. */
async function state (ledger: TestLedger): Promise<Record<string, string[]>> {
  const dump = await dumpProjections(ledger.owner, { recordedAt: false })
  const withoutEvent = (rows: readonly string[] = []): string[] => rows.map(row => row.replace(/"event_id": "[^"]*"/, '').replace(/"subject": "[^"]*"/, '')).sort()
  return { ...dump, order_states: withoutEvent(dump.order_states), card_snapshots: withoutEvent(dump.card_snapshots) }
}

/** Reads of the app itself, without a network between. */
function reader (ledger: TestLedger): Client {
  return {
    async get (path) {
      const { statusCode, body } = await ledger.get(path)
      return { status: statusCode, json: JSON.parse(body) as unknown }
    },
    async post () { throw new Error('verifying writes nothing') },
    close () {}
  }
}

import { test, type Test } from 'tap'
import { checkTruth } from '../../simulator/checks/truth.ts'
import type { Delivery } from '../../simulator/delivery.ts'
import { createDifferences } from '../../simulator/differences.ts'
import { withoutLost } from '../../simulator/losing.ts'
import type { World } from '../../simulator/model.ts'
import { simulate } from '../../simulator/simulate.ts'
import { openLedger, type TestLedger } from '../support/ledger.ts'
import { clientOf, openAsking } from './support.ts'

async function equalsTruth (t: Test, ledger: TestLedger, world: World): Promise<void> {
  await ledger.project()
  const differences = createDifferences()
  await checkTruth(clientOf(ledger), world, differences)
  t.strictSame(differences.kept.slice(0, 10), [], `${differences.total} differences from the provider's own world`)
}

async function postAll (ledger: TestLedger, deliveries: readonly Delivery[]): Promise<void> {
  for (const { body } of deliveries) await ledger.post(body)
  await ledger.project()
}

test('given an empty ledger, when it asks the provider, then every card, holder and order is there, and again nothing is missing', async t => {
  const { world } = simulate({ seed: 'asked', customers: 40, events: 3000, chaos: 'none' })
  const ledger = await openLedger(t)
  const asking = await openAsking(t, ledger, world)
  const first = await asking.reconcile()
  t.match(first, { state: 'finished', runs: 1, ended_by: null, quarantined: 0n, duplicates: 0n, cards_different: 0n, differences: { length: 0 }, remarks: { length: 0 } })
  t.equal(first.stored, first.pulled)
  t.equal(first.cards_compared, first.cards_equal + first.cards_healed)
  await equalsTruth(t, ledger, world)

  const again = await asking.reconcile()
  t.match(again, { state: 'finished', stored: 0n, cards_healed: 0n, cards_different: 0n, healed: {} })
  t.ok(again.cards_compared > 0n, 'the overlap is compared again')
  t.equal(Number(again.calls), 1 + 3 * 4 + 4, 'a call for the programmes, four for each of the three, and four for orders and customers')
})

test('given --since, then what is older is not read, and later runs continue from there; a cursor that exists stays', async t => {
  const { world } = simulate({ seed: 'since', customers: 30, events: 4000, chaos: 'none' })
  const times = world.cards.flatMap(({ rows }) => rows.map(({ at }) => at)).toSorted((a, b) => a - b)
  const since = new Date(times[Math.floor(times.length * 0.8)]! / 1000).toISOString()
  const ledger = await openLedger(t)
  const asking = await openAsking(t, ledger, world)
  t.match(await asking.reconcile({ since }), { state: 'finished', since: /^2024/ })
  const { rows: [read] } = await ledger.owner.query<{ oldest: Date, rows: number }>("select min(occurred_at) as oldest, count(*)::int as rows from ledger.events where type = 'pulled.transaction'")
  t.ok(read!.rows < times.length * 0.7, `${read!.rows} of ${times.length} rows`)
  const { rows: cursors } = await ledger.owner.query<{ list: string, cursor: string }>('select list, cursor from ledger.reconcile_cursors order by list')
  t.equal(cursors.length, 3 + 3 + 1 + 1, 'cards and rows of each programme, orders, customers')
  t.match(await asking.reconcile(), { stored: 0n })
  await asking.reconcile({ since: '2024-01-01T00:00:00Z' })
  await equalsTruth(t, ledger, world)
  const { rows: after } = await ledger.owner.query<{ list: string, cursor: string }>('select list, cursor from ledger.reconcile_cursors order by list')
  t.strictSame(after.map(({ list }) => list), cursors.map(({ list }) => list))
  t.match(await asking.foresee(), { missing: {}, cards_different: 0, quarantined: 0, points: 0n })
})

test('given only the two seed types and 30 % lost, when a ledger that connected late asks, then it equals the provider', async t => {
  for (const seed of ['late', 'later']) {
    const { deliveries, world } = simulate({ seed, customers: 40, events: 800, chaos: 'high', sources: 'seeds' })
    const ledger = await openLedger(t)
    await postAll(ledger, withoutLost(deliveries.slice(deliveries.length / 2), 0.3, seed))
    const asking = await openAsking(t, ledger, world)
    const first = await asking.reconcile()
    t.match(first, { state: 'finished', quarantined: 0n, cards_different: 0n, differences: { length: 0 } })
    t.ok(first.cards_healed > 0n)
    await equalsTruth(t, ledger, world)
    t.match(await asking.reconcile(), { stored: 0n, cards_healed: 0n, cards_different: 0n })
    // What was missing comes after all: each is a duplicate, or one more observation of what is known.
    await postAll(ledger, withoutLost(deliveries, 0, seed))
    await equalsTruth(t, ledger, world)
  }
})

import { test } from 'tap'
import { checkTruth } from '../../simulator/checks/truth.ts'
import { createDifferences } from '../../simulator/differences.ts'
import { withoutLost } from '../../simulator/losing.ts'
import { simulate } from '../../simulator/simulate.ts'
import { LONG, SEED } from '../support/chance.ts'
import { openLedger } from '../support/ledger.ts'
import { clientOf, openAsking } from './support.ts'

const CUSTOMERS = LONG ? 550 : 90
const EVENTS = LONG ? 37_000 : 2500
/** Of the deliveries, those that the ledger was connected for. */
const CONNECTED = 0.05

test('given a programme that began long before, two types subscribed and 30 % lost, then one reconcile gives what the provider has', { timeout: 900_000 }, async t => {
  const { deliveries, world } = simulate({ seed: `programme ${SEED}`, customers: CUSTOMERS, events: EVENTS, chaos: 'high', sources: 'seeds' })
  const ledger = await openLedger(t)
  for (const { body } of withoutLost(deliveries.slice(-Math.round(deliveries.length * CONNECTED)), 0.3, SEED)) await ledger.post(body)
  await ledger.project()
  const asking = await openAsking(t, ledger, world, { chaos: { seed: SEED, broken: 0.01, cut: 0.01, limited: 0.01 } })
  const first = await asking.reconcile({}, { per_minute: 100 })
  const paused_ms = asking.paused_ms()
  t.match(first, { state: 'finished', runs: 1, cards_different: 0n, quarantined: 0n })
  const differences = createDifferences()
  await checkTruth(clientOf(ledger), world, differences)
  t.strictSame(differences.kept.slice(0, 10), [], `${differences.total} differences from the provider's own world`)
  const again = await asking.reconcile()
  t.match(again, { stored: 0n, cards_healed: 0n, cards_different: 0n })

  const times = world.cards.flatMap(({ rows }) => rows.map(({ at }) => at))
  const days = Math.round(times.reduce((latest, at) => Math.max(latest, at), 0) / 86_400_000_000 - times.reduce((first, at) => Math.min(first, at), Infinity) / 86_400_000_000)
  t.comment(`${world.cards.length} cards, ${times.length} rows over ${days} days: ${first.calls} calls, ${Math.round(paused_ms / 60_000)} min at 100 a minute; again: ${again.calls} calls`)
})

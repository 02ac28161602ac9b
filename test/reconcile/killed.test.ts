import { test } from 'tap'
import { checkTruth } from '../../simulator/checks/truth.ts'
import { createDifferences } from '../../simulator/differences.ts'
import { startProviderApi } from '../../simulator/api/server.ts'
import { withoutLost } from '../../simulator/losing.ts'
import { createRandom } from '../../simulator/random.ts'
import { simulate } from '../../simulator/simulate.ts'
import { LONG, SEED } from '../support/chance.ts'
import { run, start, type Running } from '../support/cli.ts'
import { openLedger } from '../support/ledger.ts'
import { clientOf, openAsking } from './support.ts'

const KILLS = LONG ? 50 : 4

test(`given ${KILLS} kills at random points of reconcile, then it ends as without them`, { timeout: 600_000 }, async t => {
  const random = createRandom(`kills/${SEED}`)
  const { deliveries, world } = simulate({ seed: `killed ${SEED}`, customers: 60, events: 600, chaos: 'high', sources: 'seeds' })
  const arrived = withoutLost(deliveries, 0.3, SEED)
  const [ledger, other] = [await openLedger(t), await openLedger(t)]
  for (const one of [ledger, other]) {
    for (const { body } of arrived) await one.post(body)
    await one.project()
  }
  const undisturbed = await (await openAsking(t, other, world)).reconcile()

  let running: Running | undefined
  let killAt = 0
  let calls = 0
  const api = await startProviderApi(world, {
    chaos: { seed: SEED, broken: 0.01, cut: 0.01, limited: 0 },
    onCall () {
      // Between the call and the end of its work: before, while or after something is stored.
      if (++calls === killAt) setTimeout(() => running?.process.kill('SIGKILL'), random.integer(0, 40))
    }
  })
  t.teardown(api.close)
  const environment = {
    DATABASE_URL: ledger.url, VOUCHERIFY_API_URL: api.url, VOUCHERIFY_APP_ID: api.app_id, VOUCHERIFY_APP_TOKEN: api.app_token, RECONCILE_CALLS_PER_MINUTE: '100000'
  }
  let killed = 0
  for (let kill = 0; kill < KILLS; kill++) {
    calls = 0
    killAt = random.integer(1, 12)
    running = start(t, ['reconcile', '--json'], environment)
    const { signal } = await running.finished
    if (signal === 'SIGKILL') killed++
  }
  killAt = 0
  t.ok(killed > KILLS / 3, `${killed} of ${KILLS} runs were killed`)
  t.equal((await run(t, ['reconcile', '--json'], environment)).code, 0)

  const differences = createDifferences()
  await checkTruth(clientOf(ledger), world, differences)
  t.strictSame(differences.kept.slice(0, 5), [], `${differences.total} differences from the provider's own world`)
  const { rows } = await ledger.owner.query<{ state: string, healed: object }>('select state, healed, cards_healed::text, cards_different::int from ledger.reconciliations order by reconciliation_id')
  t.ok(rows.every(({ state }) => state === 'finished'), 'every run that was killed is continued by the next one')
  const pulled = 'select event_id from ledger.events where sender_kind = $1 order by event_id'
  t.strictSame((await ledger.owner.query(pulled, ['api'])).rows, (await other.owner.query(pulled, ['api'])).rows, 'no event is missing, and none is there twice')
  t.match(rows[0], { healed: undisturbed.healed, cards_healed: String(undisturbed.cards_healed), cards_different: 0 }, 'one statement for all runs')
  t.strictSame((await ledger.owner.query('select count(*)::int as n from ledger.reconcile_cards')).rows, [{ n: 0 }])
})

// Rebuilding from the command line, beside a running service.
import { test } from 'tap'
import { run, serve } from '../support/cli.ts'
import { awardData } from '../support/deliveries.ts'
import { openLedger } from '../support/ledger.ts'
import { waitUntil } from '../support/wait.ts'

test('rows of other rules are served as they are, the start says what to do, and a rebuild does it', async t => {
  const ledger = await openLedger(t)
  await ledger.post(awardData({ points: 10 }))
  await ledger.project()
  // As another version of the ledger would have left it.
  await ledger.owner.query("update projection.checkpoints set version = 99 where projection = 'cards'; update projection.cards set earned = earned + 5, balance = balance + 5")
  const environment = { DATABASE_URL: ledger.url, DATA_DIR: t.testdir() }
  const server = await serve(t, [], environment)
  t.match(server.said(), /the rows of cards are of version 99 of its rules, and this is version \d+\. They are served as they are .*rebuild diff/)
  await ledger.post(awardData({ rule: 'ern_2', points: 3 }))
  const card = async (): Promise<{ balance: number }> => await (await fetch(`${server.url}/v1/cards/v_1`)).json() as { balance: number }
  await waitUntil(async () => (await (await fetch(`${server.url}/readyz`)).text()).includes('rebuild switch'), { what: 'readiness to say so, too' })
  t.equal((await card()).balance, 15)
  t.equal((await run(t, ['status'], environment)).code, 1, 'status calls for a person')

  const rebuilt = await run(t, ['rebuild', 'start', 'cards'], environment)
  t.match(rebuilt, { code: 0, stdout: /Cards is rebuilt beside the live ones: 2 events folded/ })
  const diff = await run(t, ['rebuild', 'diff', '--json'], environment)
  t.match(JSON.parse(diff.stdout), { cards: { total: 1, points: -2, items: [{ card_id: 'v_1', balance_before: 15, balance_after: 13 }] }, parked: 0, apart: 1 })
  t.match((await run(t, ['rebuild', 'diff'], environment)).stdout, /cust_1 +v_1 +15 +13 +-2\n/)
  const switched = await run(t, ['rebuild', 'switch', '--json'], environment)
  t.match(JSON.parse(switched.stdout), { switched: ['cards'] }, switched.stderr)
  t.equal((await card()).balance, 13)
  await ledger.post(awardData({ rule: 'ern_3', points: 1 }))
  await waitUntil(async () => (await card()).balance === 14, { what: 'the worker to go on with the new rows' })
  t.match(await run(t, ['rebuild', 'abandon'], environment), { code: 0, stdout: /No rebuild is under way/ })
  t.match(await run(t, ['rebuild', 'start', 'points'], environment), { code: 1, stderr: /There is no projection points: choose one of customers/ })
  t.equal((await run(t, ['status'], environment)).code, 0)
})

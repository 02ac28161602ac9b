import { test } from 'tap'
import type { LedgerStatus } from '../../src/engine/status.ts'
import { beginRebuild } from '../../src/engine/rebuild/rebuild.ts'
import { projections } from '../../src/projections/index.ts'
import { quarantine } from '../../src/ingest/quarantine/quarantine.sql.ts'
import { run, serve } from '../support/cli.ts'
import { awardData } from '../support/deliveries.ts'
import { waitUntil } from '../support/wait.ts'
import { openLedger } from '../support/ledger.ts'
import { openWorkplace } from '../support/workplace.ts'

test('status: a table for people, JSON for programs, and an exit status that says whether someone has to look', async t => {
  const ledger = await openLedger(t, { shards: 2 })
  const environment = { DATABASE_URL: ledger.url, WEBHOOK_SECRETS: 'secret', DATA_DIR: t.testdir() }
  const json = async (): Promise<LedgerStatus> => JSON.parse((await run(t, ['--json', 'status'], environment)).stdout) as LedgerStatus
  await ledger.post(awardData({ card: 'v_1', rule: 'ern_1' }))
  await ledger.project()
  await quarantine(ledger.db, { provider: 'voucherify', body: Buffer.from('x'), headers: {}, reason: 'not_json', detail: 'x' })
  await beginRebuild(openWorkplace(t, ledger.url), projections.filter(({ name }) => name === 'cards'))

  const fine = await run(t, ['status'], environment)
  t.equal(fine.code, 0, 'what is open in quarantine, a rebuild or a short lag is no failure')
  t.match(fine.stdout, /^1 event\(s\) stored, the newest \d+ s ago, at \S+Z\.\n1 open in quarantine \(not_json 1\)\.\n/)
  t.match(fine.stdout, /\nprojection +version +lag_events +lag +parked +oldest_parked_at\n/)
  t.match(fine.stdout, /\ncards +\d+ +0 +- +0 +-\n/)
  t.match(fine.stdout, /\nBeing rebuilt: cards, version \d+; 1 event\(s\) to fold\.\n/)
  t.match(fine.stdout, /\nshard +head +newest_recorded_at +chain\n\d +1 +\S+Z +[0-9a-f]{16}…\n/)
  t.match(fine.stdout, /\nNo action needed\.\n$/)
  const { as_of: _, log: { silence_seconds: __, ...log }, ...rest } = await json()
  const { as_of: ___, log: { silence_seconds: ____, ...logOverHttp }, refused, ...overHttp } = (await ledger.get('/v1/status')).json<LedgerStatus & { refused: unknown }>()
  t.strictSame([log, rest], [logOverHttp, overHttp], 'the same over HTTP')
  t.strictSame(refused, [], 'and what this process refused')

  await ledger.owner.query("alter table projection.cards add constraint poisoned check (card_id <> 'v_1' or earned <= 10)")
  await ledger.post(awardData({ card: 'v_1', rule: 'ern_2' }))
  await ledger.project()
  await ledger.owner.query("update projection.checkpoints set version = 99 where projection = 'orders'")
  const ill = await run(t, ['status'], environment)
  t.equal(ill.code, 1)
  t.match(ill.stdout, /\norders +99, code \d+ +0 /)
  t.match(ill.stdout, /\ncards +\d+ +0 +- +1 +\S+Z\n/)
  t.match(ill.stdout, /\nAction needed:\n {2}parked: 1 key of cards is parked[^\n]*parked list[^\n]*\n {2}outdated: the rows of orders are of version 99[^\n]*\n$/)
  t.match((await json()).attention, [{ code: 'parked' }, { code: 'outdated' }])
})

test('status over HTTP tells how the worker of the process is', async t => {
  const ledger = await openLedger(t, { shards: 2 })
  const server = await serve(t, [], { DATABASE_URL: ledger.url, WEBHOOK_SECRETS: 'secret', DATA_DIR: t.testdir() })
  // A thread that has only begun, on a busy machine, may not answer at once.
  const status = await waitUntil(async () => {
    const answer = await (await fetch(`${server.url}/v1/status`)).json() as { worker: { waiting: string | null } }
    return answer.worker.waiting === null ? answer : undefined
  }, { timeout_ms: 60_000, what: 'the worker to answer' })
  t.match(status, { attention: { length: 0 }, worker: { alive: true, waiting: null, resting: { length: 0 } } })
})

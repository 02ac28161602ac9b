// Connections that go silent under a worker: it is late, never wrong.
import { test, type Test } from 'tap'
import { projections } from '../../src/projections/index.ts'
import { listen } from '../../src/postgres/listener.ts'
import type { Projection } from '../../src/engine/projection.ts'
import { startWorker, type Worker } from '../../src/engine/worker.ts'
import { closePool, databaseOf, openPool } from '../../src/postgres/database.ts'
import { failureOf } from '../../src/postgres/errors.ts'
import { APPENDED_CHANNEL, createNotifier } from '../../src/log/notify.sql.ts'
import { openProxy } from '../chaos/proxy.ts'
import { awardData } from '../support/deliveries.ts'
import { dumpProjections, openLedger, type TestLedger } from '../support/ledger.ts'
import { waitUntil } from '../support/wait.ts'

/** A worker whose first step does something else before its last projection writes. */
function startInterrupted (t: Test, url: string, options: { timeout_ms?: number }, interrupt: () => void | Promise<void>): { failures: unknown[], worker: Worker } {
  const pool = openPool({ url, role: 'ledger_service', poolSize: 3, name: 'interrupted', ...options })
  let interrupted = false
  const failures: unknown[] = []
  const [last] = projections.slice(-1) as [Projection]
  const interruptible: Projection = {
    ...last,
    async apply (trx, observed) {
      if (!interrupted) {
        interrupted = true
        await interrupt()
      }
      await last.apply(trx, observed)
    }
  }
  const worker = startWorker(databaseOf(pool), { projections: [...projections.slice(0, -1), interruptible], batch: 100, onFailure: error => { failures.push(error) } })
  t.teardown(async () => {
    await worker.stop()
    await closePool(pool)
  })
  return { failures, worker }
}

function startOther (t: Test, ledger: TestLedger): void {
  const worker = startWorker(ledger.steps, { projections, batch: 100 })
  t.teardown(() => worker.stop())
}

async function balance (ledger: TestLedger): Promise<number | undefined> {
  return (await ledger.get('/v1/cards/v_1')).json<{ balance?: number }>().balance
}

/** Both workers go on, and nothing was written twice: the same rows as from one undisturbed worker. */
async function assertWrittenOnce (t: Test, ledger: TestLedger): Promise<void> {
  const undisturbed = await openLedger(t)
  for (const other of [ledger, undisturbed]) await other.post(awardData({ points: 1, rule: 'ern_last' }))
  await undisturbed.post(awardData({ points: 10, rule: 'ern_1' }))
  await undisturbed.project()
  await waitUntil(async () => await balance(ledger) === 11)
  const rows = async ({ owner }: TestLedger): Promise<unknown> => (await dumpProjections(owner, { recordedAt: false }))['statement_lines']
  t.same(await rows(ledger), await rows(undisturbed))
}

test('a worker cut off in the middle of a step is overtaken as soon as the server gives it up, and goes on by itself', async t => {
  const ledger = await openLedger(t)
  const proxy = await openProxy(t, ledger.url)
  await ledger.post(awardData({ points: 10, rule: 'ern_1' }))
  const { failures, worker } = startInterrupted(t, proxy.url, { timeout_ms: 500 }, () => { for (const link of proxy.links()) link.stall() })
  await waitUntil(() => failures.length > 0, { what: 'the worker to give the connection up' })
  t.equal(failureOf((failures[0] as Error).cause), 'unavailable', 'it is tried again soon')
  await waitUntil(async () => await balance(ledger) === 10, { what: 'the shard to be free again, and projected' })
  for (const link of proxy.links()) link.resume()
  await assertWrittenOnce(t, ledger)
  t.equal(worker.health().alive, true)
})

test('a worker paused in the middle of a step is overtaken by another; when it comes back its step is rolled back', async t => {
  const ledger = await openLedger(t)
  const proxy = await openProxy(t, ledger.url)
  // What the server of a service does after three times the silence, alone: who is paused gives up nothing.
  await ledger.owner.query("do $$ begin execute format('alter database %I set idle_in_transaction_session_timeout = 300', current_database()); end $$")
  await ledger.post(awardData({ points: 10, rule: 'ern_1' }))
  const { failures } = startInterrupted(t, proxy.url, {}, async () => {
    const [link] = proxy.links()
    link?.stall()
    startOther(t, ledger)
    await waitUntil(async () => await balance(ledger) === 10, { what: 'the other worker to overtake' })
    link?.resume()
  })
  await waitUntil(() => failures.length > 0, { what: 'the step to fail' })
  t.equal(failureOf((failures[0] as Error).cause), 'unavailable', 'it is tried again soon')
  await assertWrittenOnce(t, ledger)
})

test('a LISTEN connection that is dead without a word only costs latency: the poll finds what came, and a new one is made', async t => {
  const ledger = await openLedger(t)
  const proxy = await openProxy(t, ledger.url)
  startOther(t, ledger)
  let woken = 0
  const listener = listen({ url: proxy.url, timeout_ms: 1000 }, APPENDED_CHANNEL, () => { woken++ })
  t.teardown(() => listener.stop())
  await waitUntil(() => woken === 1, { what: 'the listener to come up' })
  const [link] = proxy.links(/listener/)
  link?.die()
  await ledger.post(awardData({ points: 10, rule: 'ern_1' }))
  createNotifier(ledger.db)()
  const began = performance.now()
  await waitUntil(async () => await balance(ledger) === 10, { what: 'the poll' })
  t.equal(woken, 1, 'nobody was woken')
  t.ok(performance.now() - began < 2500, 'within the longest poll and the step')
  await waitUntil(() => woken === 2, { what: 'the listener to notice, and to look at once' })
  createNotifier(ledger.db)()
  await waitUntil(() => woken >= 3, { what: 'the new connection to hear' })
})

test('a listener that hears nothing but answers is kept', async t => {
  const ledger = await openLedger(t)
  const proxy = await openProxy(t, ledger.url)
  const listener = listen({ url: proxy.url, timeout_ms: 1500 }, APPENDED_CHANNEL, () => {})
  t.teardown(() => listener.stop())
  await waitUntil(() => proxy.requests(/listener/) > 3, { what: 'some questions' })
  t.equal(proxy.links(/listener/).length, 1)
  t.equal(proxy.links(/listener/)[0]?.requests, proxy.requests(/listener/), 'all on the first connection')
})

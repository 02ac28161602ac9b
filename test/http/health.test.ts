// Readiness is open to everybody: it says that something fails, and where an operator finds how.
import { test } from 'tap'
import type { WorkerHealth } from '../../src/engine/worker.ts'
import { openLedger } from '../support/ledger.ts'

const SECRET_TEXT = 'duplicate key value violates unique constraint: (customer_id)=(jane@example.com) on 10.1.2.3'

test('readiness does not show the text of a failure', async t => {
  let health: WorkerHealth = { alive: true, waiting: undefined, outdated: [], resting: [] }
  const ledger = await openLedger(t, { worker: () => health })
  t.match((await ledger.get('/readyz')).json(), { status: 'ready', checks: { worker: { ok: true, detail: 'alive' } } })

  health = { ...health, resting: [{ shard: 1, reason: SECRET_TEXT, failures: 2 }, { shard: 2, reason: SECRET_TEXT, failures: 1 }] }
  const failing = await ledger.get('/readyz')
  t.equal(failing.statusCode, 200)
  t.equal(failing.json<{ checks: { worker: { detail: string } } }>().checks.worker.detail, 'alive; the last step of 2 shard(s) failed and is tried again; the log and GET /v1/status say why')

  health = { ...health, resting: [], waiting: SECRET_TEXT }
  const waiting = await ledger.get('/readyz')
  t.equal(waiting.statusCode, 503)
  t.equal(waiting.json<{ checks: { worker: { detail: string } } }>().checks.worker.detail, 'cannot claim a shard; the log and GET /v1/status say why')
  t.match((await ledger.get('/v1/status')).json(), { worker: { waiting: SECRET_TEXT } }, 'there it is')
})

test('readiness does not show how the database failed', async t => {
  const ledger = await openLedger(t)
  await ledger.owner.query("do $$ begin execute format('alter database %I set default_transaction_read_only = on', current_database()); end $$")
  await ledger.owner.query("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'loyalty-ledger test' and pid <> pg_backend_pid()")
  const answer = await ledger.get('/readyz')
  t.equal(answer.statusCode, 503)
  t.match(answer.json(), { checks: { database: { ok: false, detail: 'not available; the log says why' }, migrations: { ok: false } } })
})

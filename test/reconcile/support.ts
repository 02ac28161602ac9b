import type { Test } from 'tap'
import { catchUp } from '../../src/engine/catch-up.ts'
import { projections } from '../../src/projections/index.ts'
import { knownProviders } from '../../src/providers/index.ts'
import type { PullScope } from '../../src/providers/pull.ts'
import { createCaller, type CallBudget } from '../../src/reconcile/calls.ts'
import { foreseeReconciliation, type Foreseen } from '../../src/reconcile/foresee.ts'
import { reconcile, type AskedProvider } from '../../src/reconcile/reconcile.ts'
import type { Reconciliation } from '../../src/reconcile/reconciliations.sql.ts'
import { createDryRun } from '../../src/ingest/dry-run.ts'
import { startProviderApi, type ApiOptions, type ProviderApi } from '../../simulator/api/server.ts'
import type { Client } from '../../simulator/client.ts'
import type { World } from '../../simulator/model.ts'
import type { TestLedger } from '../support/ledger.ts'

export interface Asking {
  api: ProviderApi
  /** Called before each answer, instead of what was set before. */
  onCall: (action: (call: number, path: string) => void) => void
  /** How long the ledger paused between calls, in all; it does not really pause. */
  paused_ms: () => number
  reconcile: (scope?: PullScope, budget?: Partial<CallBudget>) => Promise<Reconciliation>
  foresee: (scope?: PullScope) => Promise<Foreseen>
}

/** A ledger that can ask the simulated provider about a world. Time passes by pauses only. */
export async function openAsking (t: Test, ledger: TestLedger, world: World, options: ApiOptions = {}, { timeout_ms = 5000 } = {}): Promise<Asking> {
  let onCall: (call: number, path: string) => void = () => {}
  const api = await startProviderApi(world, { ...options, onCall: (call, path) => { onCall(call, path) } })
  t.teardown(api.close)
  const provider = knownProviders.first as AskedProvider
  let now_ms = 0
  let paused_ms = 0
  const surroundings = {
    fetch,
    pause: async (ms: number) => { now_ms += ms; paused_ms += ms },
    now_ms: () => now_ms,
    timeout_ms
  }
  const callerFor = (budget: Partial<CallBudget> = {}) => createCaller(provider.pull, { url: api.url, id: api.app_id, token: api.app_token }, { per_minute: 60, per_run: 10_000, ...budget }, surroundings)
  const intake = { db: ledger.db, appender: ledger.appender, shards: 16 }
  return {
    api,
    onCall: action => { onCall = action },
    paused_ms: () => paused_ms,
    reconcile: async (scope = {}, budget = {}) => await reconcile({
      db: ledger.db,
      intake,
      provider,
      caller: callerFor(budget),
      scope,
      project: async () => (await catchUp(ledger.steps, projections, { batch: 2000, wait_ms: 1000 })).map(({ shard }) => `shard ${shard} lags`)
    }),
    foresee: async (scope = {}) => await foreseeReconciliation({ db: ledger.db, intake: { ...intake, appender: createDryRun(ledger.db) }, provider, caller: callerFor(), scope })
  }
}

/** The simulator's checks read a ledger over HTTP; here they read the app itself. */
export function clientOf (ledger: TestLedger): Client {
  return {
    async get (path) {
      const { statusCode: status, body } = await ledger.get(path)
      return { status, json: JSON.parse(body) as unknown }
    },
    async post () { throw new Error('nothing is posted here') },
    close () {}
  }
}

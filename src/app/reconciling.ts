import type { Config } from '../config.ts'
import { waitForProjections } from '../engine/catch-up.ts'
import type { Ingest } from '../ingest/store-delivery.ts'
import type { Db } from '../postgres/database.ts'
import { projections } from '../projections/index.ts'
import { createCaller, processSurroundings, type CallBudget } from '../reconcile/calls.ts'
import { reconcile } from '../reconcile/reconcile.ts'
import { whileAlone, type Reconciliation } from '../reconcile/reconciliations.sql.ts'
import { watch, type RepeatedRun } from '../reconcile/watch.ts'
import type { ProviderApi } from './provider-api.ts'

/** How long a run waits for the workers at its end. */
const PROJECTION_WAIT_MS = 120_000
const MINUTE_MS = 60_000

/** What reconciling again and again needs. */
export interface ReconcilingOptions {
  /** As the service's role, with a connection to spare for the lock. */
  db: Db
  intake: Ingest
  every_minutes: number
  budget: CallBudget
  project: () => Promise<string[]>
  /** `undefined`: another process was reconciling. */
  onDone: (done: Reconciliation | undefined) => void
  onFailure: (error: unknown) => void
}

/** Reconciles with the provider, and again so long after each end. */
export function startReconciling ({ provider, access }: ProviderApi, { db, intake, every_minutes, budget, project, onDone, onFailure }: ReconcilingOptions): RepeatedRun {
  return watch(every_minutes * MINUTE_MS, async stop => {
    const caller = createCaller(provider.pull, access, budget, processSurroundings(stop))
    onDone(await whileAlone(db, provider.name, async () => await reconcile({ db, intake, provider, caller, scope: {}, project })))
  }, onFailure)
}

/** The calls that a run may make. */
export function budgetOf (config: Config): CallBudget {
  return { per_minute: config.RECONCILE_CALLS_PER_MINUTE, per_run: config.RECONCILE_CALLS_PER_RUN }
}

/** Waits for the workers of a service. @returns what they have not projected, for people */
export async function awaitWorkers (db: Db): Promise<string[]> {
  return laggingRemarks(await waitForProjections(db, projections, { wait_ms: PROJECTION_WAIT_MS }))
}

/** What the statement of cards lacks while shards lag. */
export function laggingRemarks (lagging: ReadonlyArray<{ shard: number }>): string[] {
  return lagging.length === 0 ? [] : [`The projections of ${lagging.length} shard(s) lag, so some cards are compared as they were before: run it again once a worker has caught up.`]
}

/** The figures of a reconciliation that a log line has. */
export function loggedFigures ({ reconciliation_id, calls, stored, cards_compared, cards_healed, cards_different }: Reconciliation): Record<string, number> {
  return Object.fromEntries(Object.entries({ reconciliation_id, calls, stored, cards_compared, cards_healed, cards_different }).map(([name, value]) => [name, Number(value)]))
}

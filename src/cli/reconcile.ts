import type { Config } from '../config.ts'
import { catchUp } from '../engine/catch-up.ts'
import { createDryRun } from '../ingest/dry-run.ts'
import { parseInstant } from '../ledger/instant.ts'
import type { Db } from '../postgres/database.ts'
import { projections } from '../projections/index.ts'
import { PullFailed, type PullScope } from '../providers/pull.ts'
import { createCaller, processSurroundings, type Caller } from '../reconcile/calls.ts'
import { foreseeReconciliation } from '../reconcile/foresee.ts'
import { reconcile, type ReconcileProgress } from '../reconcile/reconcile.ts'
import { whileAlone, type Reconciliation } from '../reconcile/reconciliations.sql.ts'
import { CommandError, explain } from '../app/errors.ts'
import { withLedger, type LedgerHandle } from '../app/open.ts'
import { writeResult, type Output } from '../app/output.ts'
import { providerApi, type ProviderApi } from '../app/provider-api.ts'
import { budgetOf, laggingRemarks, startReconciling } from '../app/reconciling.ts'
import { createShutdown } from '../app/shutdown.ts'
import { foreseenResult, foreseenText, reconciliationResult, reconciliationText } from './support/reconcile-report.ts'

export interface ReconcileCommandOptions { card?: string, since?: string, dryRun: boolean, watch: boolean }

const CATCH_UP_MS = 60_000
/** Without a terminal, one line is written this often. */
const LINE_EVERY_MS = 10_000

/**
 * `reconcile`: asks the provider for what is missing, stores it, and states how the cards compare.
 * @throws CommandError of the end: api_…, reconcile_running, cards_differ
 */
export async function reconcileCommand (config: Config, output: Output, { card, since, dryRun, watch }: ReconcileCommandOptions): Promise<void> {
  if (card !== undefined && since !== undefined) throw new CommandError('options_exclusive', 'Give --card or --since: of one card everything is read.')
  if (watch && (card !== undefined || since !== undefined || dryRun)) throw new CommandError('options_exclusive', '--watch reads what is new each time: it goes with none of --card, --since and --dry-run.')
  const scope: PullScope = { card, since: since === undefined ? undefined : timeOf(since) }
  const api = await providerApi(config)
  if (watch) await watchProvider(config, output, api)
  else if (dryRun) await foresee(config, output, api, scope)
  else conclude(output, await healWith(config, output, api, scope))
}

/** Without RECONCILE_EVERY_MINUTES. */
const WATCH_EVERY_MINUTES = 15

async function watchProvider (config: Config, output: Output, api: ProviderApi): Promise<void> {
  const role = config.DATABASE_ROLE
  const every_minutes = config.RECONCILE_EVERY_MINUTES === 0 ? WATCH_EVERY_MINUTES : config.RECONCILE_EVERY_MINUTES
  await withLedger(config, async (db, ledger) => {
    const shutdown = createShutdown(config.SHUTDOWN_TIMEOUT_MS, output.progress)
    const watching = startReconciling(api, {
      db: ledger.connect({ role }),
      intake: ledger.openIngest(),
      every_minutes,
      budget: budgetOf(config),
      project: async () => await project(db, config),
      onDone (done) {
        if (done === undefined) output.progress('Another process reconciles with the provider now: waiting for the next time.')
        else writeResult(output, reconciliationResult(done), `${done.ended_at ?? ''}\n${reconciliationText(done)}\n`)
      },
      onFailure: error => { output.progress(`Stopped: ${explain(error).message} The next run continues, in ${every_minutes} min.`) }
    })
    shutdown.onStop('reconciling', watching.stop)
    await shutdown.stopped
  }, { role })
}

async function asking<T> (config: Config, { provider, access }: ProviderApi, action: (caller: Caller) => Promise<T>): Promise<T> {
  try {
    return await action(createCaller(provider.pull, access, budgetOf(config), processSurroundings()))
  } catch (error) {
    if (error instanceof PullFailed) throw new CommandError(error.code, error.message, { cause: error })
    throw error
  }
}

function timeOf (text: string): string {
  const time = parseInstant(text) ?? parseInstant(`${text}T00:00:00Z`)
  if (time === undefined) throw new CommandError('time_malformed', `${text} is no time. Give one like 2026-05-01 or 2026-05-01T12:00:00Z.`)
  return time
}

async function foresee (config: Config, output: Output, api: ProviderApi, scope: PullScope): Promise<void> {
  const { provider } = api
  const foreseen = await asking(config, api, async caller => await withLedger(config, async (db, { shards }) => await foreseeReconciliation({
    db, intake: { db, appender: createDryRun(db), shards }, provider, caller, scope, onProgress: progressLines(output)
  }), { readOnly: true }))
  writeResult(output, foreseenResult(foreseen), foreseenText(foreseen))
}

/**
 * Reconciles the ledger of a configuration with an API.
 * @throws CommandError of the end: api_…, reconcile_running
 */
export async function healWith (config: Config, output: Output, api: ProviderApi, scope: PullScope = {}): Promise<Reconciliation> {
  const { provider } = api
  const role = config.DATABASE_ROLE
  const done = await asking(config, api, async caller => await withLedger(config, async (db, ledger) => await whileAlone(lockConnection(ledger, role), provider.name, async () => await reconcile({
    db, intake: ledger.openIngest(), provider, caller, scope, project: async () => await project(db, config), onProgress: progressLines(output)
  })), { role }))
  if (done === undefined) throw new CommandError('reconcile_running', 'Another process reconciles with the provider now: `reporting.reconciliations` shows how far it is. Wait for it, or end it.')
  return done
}

/** Connections of their own: the lock keeps one for as long as the run takes. */
function lockConnection (ledger: LedgerHandle, role: string): Db {
  return ledger.connect({ role })
}

async function project (db: Db, config: Config): Promise<string[]> {
  return laggingRemarks(await catchUp(db, projections, { batch: config.PROJECTION_BATCH_EVENTS, wait_ms: CATCH_UP_MS }))
}

function conclude (output: Output, done: Reconciliation): void {
  writeResult(output, reconciliationResult(done), reconciliationText(done))
  if (done.cards_different > 0n) {
    throw new CommandError('cards_differ', `${done.cards_different} card(s) are still not as the provider states.`)
  }
}

function progressLines (output: Output): (progress: ReconcileProgress) => void {
  let next = performance.now() + LINE_EVERY_MS
  let thing = ''
  return progress => {
    if (output.json || (progress.thing === thing && performance.now() < next)) return
    thing = progress.thing
    next = performance.now() + LINE_EVERY_MS
    output.progress(`Reading ${progress.thing}: ${progress.pulled} objects so far, ${progress.stored} of them new, ${progress.calls} calls.`)
  }
}

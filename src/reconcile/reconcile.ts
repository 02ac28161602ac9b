import type { Db } from '../postgres/database.ts'
import { receiveDelivery } from '../ingest/receive.ts'
import { providersOf, type Ingest } from '../ingest/store-delivery.ts'
import type { Provider } from '../providers/provider.ts'
import type { PullList, PullScope, PullSide, PulledPage, PulledThing } from '../providers/pull.ts'
import type { Caller } from './calls.ts'
import { forgetCards, noteCards, readNotedCards } from './cards.sql.ts'
import { statedIn } from './pulled.ts'
import {
  beginReconciliation, countReconciled, findReconciliation, finishReconciliation, moveCursor, readCursors, stopReconciliation, type Reconciliation, type ReconciliationCounts
} from './reconciliations.sql.ts'
import { addComparison, emptyStatement, mayBeExplained, type CardStatement, type ComparedCard } from './statement.ts'

/** A provider that can be asked. */
export type AskedProvider = Provider & { pull: PullSide }

/** What a run needs. */
export interface ReconcileOptions {
  /** As the service's role. */
  db: Db
  intake: Ingest
  provider: AskedProvider
  caller: Caller
  scope: PullScope
  /** Brings the projections up to what is stored. @returns what could not be projected, for people */
  project: () => Promise<string[]>
  onProgress?: (progress: ReconcileProgress) => void
}

/** How far a run is. */
export interface ReconcileProgress { list: string, thing: PulledThing, pulled: number, stored: number, calls: number }

/** A run: what it has done so far, and what it is for. */
interface Run extends ReconcileOptions {
  reconciliation_id: bigint
  counted: ReconciliationCounts
  remarks: string[]
}

/** Cards whose own rows are asked for in one run, after the lists. */
const EXPLAINED_CARDS = 50
const PAGE_CARDS = 1000

/**
 * Asks the provider, stores what was missing, and states how the cards compare. Nothing that it stores depends on
 * what was stored before, so it can stop anywhere: the next run continues. Not for two at once (`whileAlone`).
 * @returns the finished reconciliation
 * @throws PullFailed, AppendRefused, or an error of the database: then it is stopped, and the next one continues it
 */
export async function reconcile (options: ReconcileOptions): Promise<Reconciliation> {
  const { db, provider, scope } = options
  const { reconciliation_id } = await beginReconciliation(db, provider.name, scope)
  const run: Run = { ...options, reconciliation_id, counted: { calls: 0, pulled: 0, stored: 0, duplicates: 0, quarantined: 0 }, remarks: [] }
  try {
    await pullAll(run)
    run.remarks.push(...await options.project())
    if (scope.card === undefined && await pullUnexplained(run)) run.remarks.push(...await options.project())
    await count(run, {})
    await finishReconciliation(db, reconciliation_id, await stateCards(run), [...new Set(run.remarks)])
    await forgetCards(db, reconciliation_id)
  } catch (error) {
    await stop(run, error)
    throw error
  }
  return await findReconciliation(db, reconciliation_id) ?? fail(reconciliation_id)
}

function fail (reconciliation_id: bigint): never {
  throw new Error(`reconciliation ${reconciliation_id} is gone`)
}

async function stop (run: Run, error: unknown): Promise<void> {
  const { code = 'failed', message, name } = error as { code?: string, message: string, name: string }
  const end = name === 'AbortError' ? { code: 'interrupted', detail: 'The process was asked to end.' } : { code, detail: message }
  try {
    await count(run, {})
    await stopReconciliation(run.db, run.reconciliation_id, end)
  } catch {
    // The database is away: it stays as running, and the next run continues it all the same.
  }
}

async function pullAll (run: Run): Promise<void> {
  const { db, provider, caller, scope } = run
  const lists = await provider.pull.lists(caller.call, scope)
  const cursors = await readCursors(db, provider.name)
  for (const list of lists) await pullList(run, list, cursors.get(list.name))
}

async function pullList (run: Run, list: PullList, cursor: string | undefined): Promise<void> {
  for await (const page of list.pages(cursor)) {
    await storePage(run, list, page)
    const { pulled, stored } = run.counted
    run.onProgress?.({ list: list.name, thing: list.thing, pulled, stored, calls: run.caller.made() })
  }
}

async function storePage (run: Run, list: PullList, { deliveries, cursor, remark }: PulledPage): Promise<void> {
  const { db, intake, provider, reconciliation_id } = run
  await noteCards(db, reconciliation_id, statedIn(deliveries, provider))
  const received = await Promise.all(deliveries.map(async body => await receiveDelivery(body, {}, intake, provider)))
  const of = (status: typeof received[number]['status']): number => received.filter(one => one.status === status).length
  // The cursor comes last: what it passes is stored.
  await count(run, { pulled: deliveries.length, stored: of('accepted'), duplicates: of('duplicate'), quarantined: of('quarantined') }, cursor === null ? undefined : { list: list.name, cursor })
  if (remark !== undefined) run.remarks.push(remark)
}

async function count (run: Run, { pulled = 0, stored = 0, duplicates = 0, quarantined = 0 }: Partial<ReconciliationCounts>, moved?: { list: string, cursor: string }): Promise<void> {
  const { db, caller, counted, provider, reconciliation_id } = run
  const calls = caller.made() - counted.calls
  await db.transaction().execute(async trx => {
    await countReconciled(trx, reconciliation_id, { calls, pulled, stored, duplicates, quarantined })
    if (moved !== undefined) await moveCursor(trx, provider.name, moved.list, moved.cursor)
  })
  counted.calls += calls
  counted.pulled += pulled
  counted.stored += stored
}

/**
 * A row that was committed long after others with larger ids is in no list that is read. It shows as points that
 * nothing explains, so the rows of such cards are asked for one card at a time.
 * @returns whether anything was stored
 */
async function pullUnexplained (run: Run): Promise<boolean> {
  const cards: string[] = []
  for await (const card of notedCards(run)) {
    if (cards.length < EXPLAINED_CARDS && mayBeExplained(card)) cards.push(card.card_id)
  }
  const { provider, caller } = run
  const before = run.counted.stored
  for (const card of cards) {
    for (const list of await provider.pull.lists(caller.call, { card: providersOf(run.intake).asSent(card) })) await pullList(run, list, undefined)
  }
  return run.counted.stored > before
}

async function stateCards (run: Run): Promise<CardStatement> {
  const statement = emptyStatement()
  for await (const card of notedCards(run)) addComparison(statement, card)
  return statement
}

async function * notedCards ({ db, reconciliation_id }: Run): AsyncGenerator<ComparedCard> {
  for (let after = ''; ;) {
    const cards = await readNotedCards(db, reconciliation_id, { after, limit: PAGE_CARDS })
    yield * cards
    if (cards.length < PAGE_CARDS) return
    after = cards.at(-1)?.card_id ?? after
  }
}

import { sql, type Selectable } from 'kysely'
import type { Db } from '../postgres/database.ts'
import type { ReconciliationRow } from '../postgres/tables.ts'
import type { PullScope } from '../providers/pull.ts'
import type { CardStatement } from './statement.ts'

/** A reconciliation as it is kept. */
export type Reconciliation = Selectable<ReconciliationRow>

/** What a page, or a run, adds to the counts of a reconciliation. */
export interface ReconciliationCounts { calls: number, pulled: number, stored: number, duplicates: number, quarantined: number }

/**
 * Begins a reconciliation; one of everything continues the last one that did not finish.
 */
export async function beginReconciliation (db: Db, provider: string, { card, since }: PullScope): Promise<{ reconciliation_id: bigint, runs: number }> {
  if (card === undefined && since === undefined) {
    const { rows: [resumed] } = await sql<{ reconciliation_id: bigint, runs: number }>`
      update ledger.reconciliations r
      set state = 'running', ended_at = null, ended_by = null, detail = null, runs = r.runs + 1, progressed_at = clock_timestamp()
      where r.reconciliation_id = (
        select u.reconciliation_id from ledger.reconciliations u
        where u.provider = ${provider} and u.card is null and u.since is null and u.state <> 'finished'
        order by u.reconciliation_id desc limit 1)
      returning r.reconciliation_id, r.runs`.execute(db)
    if (resumed !== undefined) return resumed
  }
  return await db.insertInto('ledger.reconciliations')
    .values({ provider, card: card ?? null, since: sql`${since ?? null}::timestamptz` })
    .returning(['reconciliation_id', 'runs']).executeTakeFirstOrThrow()
}

/** Adds to the counts. */
export async function countReconciled (db: Db, reconciliation_id: bigint, { calls, pulled, stored, duplicates, quarantined }: ReconciliationCounts): Promise<void> {
  await sql`
    update ledger.reconciliations set
      progressed_at = clock_timestamp(), calls = calls + ${calls}::bigint, pulled = pulled + ${pulled}::bigint, stored = stored + ${stored}::bigint,
      duplicates = duplicates + ${duplicates}::bigint, quarantined = quarantined + ${quarantined}::bigint
    where reconciliation_id = ${reconciliation_id}`.execute(db)
}

/** Ends a reconciliation before its end. The next one continues it. */
export async function stopReconciliation (db: Db, reconciliation_id: bigint, { code, detail }: { code: string, detail: string }): Promise<void> {
  await sql`
    update ledger.reconciliations set state = 'stopped', ended_at = clock_timestamp(), ended_by = ${code}, detail = ${detail}
    where reconciliation_id = ${reconciliation_id}`.execute(db)
}

/** Ends a reconciliation with its statement. */
export async function finishReconciliation (db: Db, reconciliation_id: bigint, statement: CardStatement, remarks: readonly string[]): Promise<void> {
  const { cards_compared, cards_equal, cards_healed, cards_different, differences } = statement
  const healed = Object.fromEntries(Object.entries(statement.healed).map(([figure, points]) => [figure, String(points)]))
  await sql`
    update ledger.reconciliations set
      state = 'finished', ended_at = clock_timestamp(), ended_by = null, detail = null,
      cards_compared = ${cards_compared}::bigint, cards_equal = ${cards_equal}::bigint, cards_healed = ${cards_healed}::bigint, cards_different = ${cards_different}::bigint,
      healed = ${JSON.stringify(healed)}::jsonb, differences = ${JSON.stringify(differences)}::jsonb, remarks = ${JSON.stringify(remarks)}::jsonb
    where reconciliation_id = ${reconciliation_id}`.execute(db)
}

export async function findReconciliation (db: Db, reconciliation_id: bigint): Promise<Reconciliation | undefined> {
  return await db.selectFrom('ledger.reconciliations').selectAll().where('reconciliation_id', '=', reconciliation_id).executeTakeFirst()
}

/** Reconciliations, newest first, a page at a time. `before` is the last id of the page before. */
export async function listReconciliations (db: Db, page: { before?: bigint | undefined, limit: number }): Promise<Reconciliation[]> {
  return await db.selectFrom('ledger.reconciliations').selectAll()
    .$if(page.before !== undefined, query => query.where('reconciliation_id', '<', page.before ?? 0n))
    .orderBy('reconciliation_id', 'desc').limit(page.limit).execute()
}

/** Up to where each list of a provider was read. */
export async function readCursors (db: Db, provider: string): Promise<Map<string, string>> {
  const rows = await db.selectFrom('ledger.reconcile_cursors').select(['list', 'cursor']).where('provider', '=', provider).execute()
  return new Map(rows.map(({ list, cursor }) => [list, cursor]))
}

/** Moves a cursor. Call after all that precedes it is stored. */
export async function moveCursor (db: Db, provider: string, list: string, cursor: string): Promise<void> {
  await sql`
    insert into ledger.reconcile_cursors (provider, list, cursor) values (${provider}, ${list}, ${cursor})
    on conflict (provider, list) do update set cursor = excluded.cursor, updated_at = clock_timestamp()`.execute(db)
}

/** Any number of ours: with the provider's name it names the lock. */
const LOCK = 1_380_272_206

/**
 * Runs an action while nobody else reconciles with a provider. The lock ends with its connection, so a process that was
 * killed leaves none behind.
 * @param db with a connection to spare for as long as the action takes
 * @returns undefined when somebody else reconciles
 */
export async function whileAlone<T> (db: Db, provider: string, action: () => Promise<T>): Promise<T | undefined> {
  return await db.connection().execute(async connection => {
    const { rows: [row] } = await sql<{ locked: boolean }>`select pg_try_advisory_lock(${LOCK}, hashtext(${provider})) as locked`.execute(connection)
    if (row?.locked !== true) return undefined
    try {
      return await action()
    } finally {
      await sql`select pg_advisory_unlock(${LOCK}, hashtext(${provider}))`.execute(connection)
    }
  })
}

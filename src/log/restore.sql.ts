import { sql } from 'kysely'
import { bodiesOf, RECORD, recordsOf, type Appendable, type Appended } from './append.sql.ts'
import type { Db } from '../postgres/database.ts'

/**
 * As `append`, for events out of an export of a ledger: each keeps the time at which it was first stored.
 * ```sql
 * select ordinal, outcome, shard, position from ledger.restore($records, $bodies, $received)
 * ```
 * @param events each with its `received_at`
 * @returns one answer an input, in order
 */
export async function restore (db: Db, events: readonly Appendable[]): Promise<Appended[]> {
  const { rows } = await sql<Appended>`
    select outcome, shard, position
    from ledger.restore(${recordsOf(events)}, ${bodiesOf(events)}, ${events.map(({ recorded_at }) => recorded_at).join(RECORD)})
    order by ordinal`.execute(db)
  return rows
}

/** May this login restore, and if not, who may: the owner of the function. */
export async function whoMayRestore (db: Db): Promise<{ may: boolean, owner: string }> {
  const { rows: [row] } = await sql<{ may: boolean, owner: string }>`
    select has_function_privilege(oid, 'execute') as may, pg_get_userbyid(proowner) as owner
    from pg_proc where oid = 'ledger.restore(text, text, text)'::regprocedure`.execute(db)
  if (row === undefined) throw new Error('the database has no ledger.restore')
  return row
}

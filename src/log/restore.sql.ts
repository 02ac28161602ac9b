import { sql } from 'kysely'
import { arraysOf, type Appendable, type Appended } from './append.sql.ts'
import { binaryColumn } from '../postgres/binary-arrays.ts'
import type { Db } from '../postgres/database.ts'

/**
 * As `append`, for events out of an export of a ledger: each keeps the time at which it was first stored.
 * ```sql
 * select outcome, shard, position from ledger.restore($event_ids, …, $bodies, $recorded_ats) order by ordinal
 * ```
 * @param events each with its `recorded_at`
 * @returns one answer an input, in order
 */
export async function restore (db: Db, events: readonly Appendable[]): Promise<Appended[]> {
  const { rows } = await sql<Appended>`
    select outcome, shard, position
    from ledger.restore(${sql.join([...arraysOf(events), binaryColumn('timestamptz', events, 'recorded_at')])})
    order by ordinal`.execute(db)
  return rows
}

/** Whether this login may restore, and who may: the owner of the function. */
export async function whoMayRestore (db: Db): Promise<{ may: boolean, owner: string }> {
  const { rows: [row] } = await sql<{ may: boolean, owner: string }>`
    select has_function_privilege(oid, 'execute') as may, pg_get_userbyid(proowner) as owner
    from pg_proc where oid = 'ledger.restore'::regproc`.execute(db)
  if (row === undefined) throw new Error('the database has no ledger.restore')
  return row
}

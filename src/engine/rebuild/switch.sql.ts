import { sql } from 'kysely'
import type { Trx } from '../../postgres/database.ts'
import { BOOKKEEPING, lookAt } from './projection-schema.sql.ts'
import type { Tables } from '../../postgres/tables.ts'

/** How long statements of this transaction may wait for a lock. */
export async function setLockTimeout (trx: Trx, timeout_ms: number): Promise<void> {
  await sql`select set_config('lock_timeout', ${String(timeout_ms)}, true)`.execute(trx)
}

/**
 * Locks the live tables of projections against everyone, and the checkpoints with them: whoever reads or writes them now is
 * done first, and who comes later finds what stands under their names then.
 */
export async function lockLive (trx: Trx, tables: ReadonlyArray<keyof Tables>): Promise<void> {
  // Steps and reads begin with the checkpoints, redrives with what is parked: in this order nobody waits in a circle.
  for (const name of [...BOOKKEEPING, ...tables]) await sql`lock table ${sql.id('projection', name)} in access exclusive mode`.execute(trx)
}

/**
 * Puts the rebuilt tables of projections into the place of the live ones, which are dropped, with their checkpoints and what
 * is parked. Views over them show the new rows from the commit on.
 */
export async function switchTables (trx: Trx, projections: readonly string[], tables: ReadonlyArray<keyof Tables>): Promise<void> {
  const views = await viewsOver(trx, tables)
  await sql`create schema projection_retired`.execute(trx)
  for (const name of tables) {
    await sql`alter table ${sql.id('projection', name)} set schema projection_retired`.execute(trx)
    await sql`alter table ${sql.id('projection_build', name)} set schema projection`.execute(trx)
  }
  // A view holds on to its tables, whatever they are called: said again, its text means the new ones.
  for (const { schema, name, options, definition } of views) await sql`create or replace view ${sql.id(schema, name)} ${sql.raw(options)} as ${sql.raw(definition)}`.execute(trx)
  // Not cascading: what others made of these tables, a materialized view say, is not ours to drop. Then the switch fails and says so.
  for (const name of tables) await sql`drop table ${sql.id('projection_retired', name)}`.execute(trx)
  await sql`drop schema projection_retired`.execute(trx)
  for (const name of BOOKKEEPING) {
    await sql`delete from ${sql.id('projection', name)} where projection = any (${projections}::text[])`.execute(trx)
    await sql`insert into ${sql.id('projection', name)} select * from ${sql.id('projection_build', name)} where projection = any (${projections}::text[])`.execute(trx)
    await sql`delete from ${sql.id('projection_build', name)} where projection = any (${projections}::text[])`.execute(trx)
  }
}

interface View { schema: string, name: string, options: string, definition: string }

/** The views that read some live tables, with their text. */
async function viewsOver (trx: Trx, tables: ReadonlyArray<keyof Tables>): Promise<View[]> {
  // With an empty path every name in a definition comes with its schema.
  await sql`select set_config('search_path', '', true)`.execute(trx)
  const { rows } = await sql<View>`
    select distinct n.nspname as schema, v.relname as name, coalesce('with (' || array_to_string(v.reloptions, ', ') || ')', '') as options, rtrim(pg_get_viewdef(v.oid), ';') as definition
    from unnest(${tables}::text[]) as t (name)
    join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = to_regclass('projection.' || t.name) and d.classid = 'pg_rewrite'::regclass
    join pg_rewrite r on r.oid = d.objid
    join pg_class v on v.oid = r.ev_class and v.relkind = 'v'
    join pg_namespace n on n.oid = v.relnamespace
    order by 1, 2`.execute(trx)
  await lookAt(trx, 'projection')
  return rows
}

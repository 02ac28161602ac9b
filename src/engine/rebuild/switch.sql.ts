import { sql } from 'kysely'
import type { Trx } from '../../postgres/database.ts'
import { BOOKKEEPING, lookAt } from './projection-schema.sql.ts'
import type { Tables } from '../../postgres/tables.ts'

/** Limits how long statements of this transaction wait for a lock. */
export async function setLockTimeout (trx: Trx, timeout_ms: number): Promise<void> {
  await sql`select set_config('lock_timeout', ${String(timeout_ms)}, true)`.execute(trx)
}

/**
 * Locks the live tables of projections and the checkpoints against everyone. Waits until present readers and writers
 * have ended; later ones wait, and then find the new tables under these names.
 */
export async function lockLive (trx: Trx, tables: ReadonlyArray<keyof Tables>): Promise<void> {
  // Steps and reads start with the checkpoints, redrives with the parked keys: in this order there is no deadlock.
  for (const name of [...BOOKKEEPING, ...tables]) await sql`lock table ${sql.id('projection', name)} in access exclusive mode`.execute(trx)
}

/**
 * Replaces the live tables of projections by the rebuilt ones, with their checkpoints and parked keys, and drops the
 * old ones. Views over them show the new rows from the commit on.
 */
export async function switchTables (trx: Trx, projections: readonly string[], tables: ReadonlyArray<keyof Tables>): Promise<void> {
  const views = await viewsOver(trx, tables)
  await sql`create schema projection_retired`.execute(trx)
  for (const name of tables) {
    await sql`alter table ${sql.id('projection', name)} set schema projection_retired`.execute(trx)
    await sql`alter table ${sql.id('projection_build', name)} set schema projection`.execute(trx)
  }
  // A view refers to its tables by oid. Created again from the same text, it refers to the new ones.
  for (const { schema, name, options, definition } of views) await sql`create or replace view ${sql.id(schema, name)} ${sql.raw(options)} as ${sql.raw(definition)}`.execute(trx)
  // Without cascade: objects of others that depend on these tables, e.g. a materialized view, are not ours to drop; the
  // switch fails then.
  for (const name of tables) await sql`drop table ${sql.id('projection_retired', name)}`.execute(trx)
  await sql`drop schema projection_retired`.execute(trx)
  for (const name of BOOKKEEPING) {
    await sql`delete from ${sql.id('projection', name)} where projection = any (${projections}::text[])`.execute(trx)
    await sql`insert into ${sql.id('projection', name)} select * from ${sql.id('projection_build', name)} where projection = any (${projections}::text[])`.execute(trx)
    await sql`delete from ${sql.id('projection_build', name)} where projection = any (${projections}::text[])`.execute(trx)
  }
}

interface View { schema: string, name: string, options: string, definition: string }

/** The views over some live tables, with their text. */
async function viewsOver (trx: Trx, tables: ReadonlyArray<keyof Tables>): Promise<View[]> {
  // With an empty path, every name in a definition has its schema.
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

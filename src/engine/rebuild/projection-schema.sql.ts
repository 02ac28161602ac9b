import { sql } from 'kysely'
import type { ProjectionSchema, Db, Trx } from '../../postgres/database.ts'
import type { Tables } from '../../postgres/tables.ts'

/** The tables of every projection schema beside those of its projections. */
export const BOOKKEEPING = ['checkpoints', 'parked', 'waiting'] as const satisfies ReadonlyArray<keyof Tables>

type TableName = keyof Tables

/** Sets the projection schema that a transaction sees, until its end or the next call. */
export async function lookAt (trx: Trx, projectionSchema: ProjectionSchema): Promise<void> {
  // Temporary tables come before all others unless pg_temp is named.
  const path = projectionSchema === 'pg_temp' ? projectionSchema : `${projectionSchema}, pg_temp`
  await sql`select set_config('search_path', ${path}, true)`.execute(trx)
}

/** True if there is a schema that a rebuild fills. */
export async function buildExists (db: Db): Promise<boolean> {
  const { rows: [found] } = await sql<{ exists: boolean }>`select to_regclass('projection_build.checkpoints') is not null as exists`.execute(db)
  return found?.exists === true
}

/**
 * Creates empty tables in the schema of a rebuild, each like the live one: columns, constraints, indexes, storage,
 * comments and rights, under the same names. Existing ones stay.
 */
export async function createBuildTables (trx: Trx, tables: readonly TableName[]): Promise<void> {
  await sql`create schema if not exists projection_build`.execute(trx)
  await sql`comment on schema projection_build is 'Projections that a rebuild fills beside the live ones. Disposable: loyalty-ledger rebuild abandon drops it.'`.execute(trx)
  await sql`grant usage on schema projection_build to ledger_service`.execute(trx)
  const { rows: missing } = await sql<{ name: TableName }>`
    select name from unnest(${tables}::text[]) as t (name)
    where to_regclass('projection_build.' || name) is null`.execute(trx)
  for (const { name } of missing) {
    for (const statement of await statementsFor(trx, name)) await sql.raw(statement).execute(trx)
  }
}

/** The statements that create a table of the rebuild like the live one. */
async function statementsFor (trx: Trx, table: TableName): Promise<string[]> {
  // With an empty path, definitions name their schema.
  await sql`select set_config('search_path', '', true)`.execute(trx)
  const { rows } = await sql<{ statement: string }>`
    with live as (
      select c.oid, c.relname, c.reloptions, c.relacl, c.relowner
      from pg_class c
      where c.oid = to_regclass('projection.' || ${table}::text)
    ), made (step, statement) as (
      select 1, format('create table projection_build.%I (like projection.%I including all excluding indexes)%s', relname, relname,
                       coalesce(' with (' || array_to_string(reloptions, ', ') || ')', ''))
      from live
      union all
      select 2, format('alter table projection_build.%I add constraint %I %s', relname, k.conname, pg_get_constraintdef(k.oid))
      from live join pg_constraint k on k.conrelid = live.oid and k.contype in ('p', 'u')
      union all
      select 3, replace(pg_get_indexdef(i.indexrelid), format(' ON projection.%I', relname), format(' ON projection_build.%I', relname))
      from live join pg_index i on i.indrelid = live.oid
      where not exists (select from pg_constraint k where k.conindid = i.indexrelid)
      union all
      select 4, format('comment on table projection_build.%I is %L', relname, obj_description(oid, 'pg_class'))
      from live
      union all
      select 5, format('grant %s on projection_build.%I to %s', string_agg(a.privilege_type, ', '), relname, case a.grantee when 0 then 'public' else a.grantee::regrole::text end)
      from live cross join lateral aclexplode(relacl) a
      where a.grantee <> live.relowner
      group by relname, a.grantee
      union all
      select 6, format('alter table projection_build.%I owner to %s', relname, relowner::regrole)
      from live
    )
    select statement from made order by step`.execute(trx)
  return rows.map(({ statement }) => statement)
}

/** Empties tables of the session's projection schema and deletes the checkpoints of their projections. */
export async function resetTables (trx: Trx, projections: readonly string[], tables: readonly TableName[]): Promise<void> {
  for (const name of tables) await sql`truncate ${sql.id(name)}`.execute(trx)
  for (const name of BOOKKEEPING) await sql`delete from ${sql.id(name)} where projection = any (${projections}::text[])`.execute(trx)
}

/** Lets one process at a time create, switch or drop the tables of a rebuild. Folding into them needs no such lock. */
export async function takeBuildLock (trx: Trx): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended('loyalty-ledger rebuild', 0))`.execute(trx)
}

/** Creates empty temporary tables like the live ones; they end with the connection. */
export async function createTemporaryTables (db: Db, tables: readonly TableName[]): Promise<void> {
  for (const name of tables) await sql`create temporary table ${sql.id(name)} (like ${sql.id('projection', name)} including all)`.execute(db)
}

/** Drops the schema of a rebuild. */
export async function dropBuild (db: Db): Promise<void> {
  await sql`drop schema if exists projection_build cascade`.execute(db)
}

/** Analyses tables of the session's projection schema. */
export async function analyseTables (db: Db, tables: readonly TableName[]): Promise<void> {
  for (const name of tables) await sql`analyze ${sql.id(name)}`.execute(db)
}

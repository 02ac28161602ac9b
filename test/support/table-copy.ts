// Whole tables out of a database and into another, through SQL alone: every value as PostgreSQL writes it as text.
import type pg from 'pg'

/** A row of a table; columns that the database makes itself are left out. */
export interface CopiedRow { table: string, row: Record<string, string | null> }

interface Column { name: string, type: string }

/** Filled by `migrate up`, on both sides. */
const OF_THE_MIGRATION = 'ledger.repeatable_files'

/** Tables of a schema that keep rows of their own, in an order in which what is referred to comes first. */
async function tablesOf (db: pg.ClientBase, schemas: readonly string[]): Promise<Map<string, Column[]>> {
  const { rows } = await db.query<Column & { table: string }>(`
    select format('%I.%I', n.nspname, c.relname) as "table", a.attname as name, format_type(a.atttypid, a.atttypmod) as type
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
    where n.nspname = any ($1) and c.relkind = 'r' and c.oid is distinct from to_regclass('${OF_THE_MIGRATION}')
    order by (select count(*) from pg_constraint k where k.conrelid = c.oid and k.contype = 'f'), 1, a.attnum`, [schemas])
  const tables = new Map<string, Column[]>()
  for (const { table, ...column } of rows) tables.set(table, [...tables.get(table) ?? [], column])
  return tables
}

/** Every row of every table of some schemas, in one state of the database. */
export async function copyOut (pool: pg.Pool, schemas: readonly string[]): Promise<CopiedRow[]> {
  return await inTransaction(pool, 'begin isolation level repeatable read read only', async db => {
    const copied: CopiedRow[] = []
    for (const [table, columns] of await tablesOf(db, schemas)) {
      const { rows } = await db.query<CopiedRow['row']>(`select ${columns.map(({ name }) => `t."${name}"::text`).join(', ')} from ${table} t order by t::text collate "C"`)
      copied.push(...rows.map(row => ({ table, row })))
    }
    return copied
  })
}

/** What stands now where these rows stood: the same tables and columns, whatever was added, in the same order. */
export async function readBack (pool: pg.Pool, copied: readonly CopiedRow[]): Promise<CopiedRow[]> {
  return await inTransaction(pool, 'begin isolation level repeatable read read only', async db => {
    const read: CopiedRow[] = []
    for (const table of new Set(copied.map(copy => copy.table))) {
      const columns = Object.keys(copied.find(copy => copy.table === table)?.row ?? {})
      const { rows } = await db.query<CopiedRow['row']>(`select ${columns.map(name => `t."${name}"::text`).join(', ')} from (select ${columns.map(name => `"${name}"`).join(', ')} from ${table}) t order by t::text collate "C"`)
      read.push(...rows.map(row => ({ table, row })))
    }
    return read
  })
}

/** Fills empty tables. Columns that the rows do not have take their defaults. */
export async function copyIn (pool: pg.Pool, copied: readonly CopiedRow[]): Promise<void> {
  await inTransaction(pool, 'begin', async db => {
    const schemas = [...new Set(copied.map(({ table }) => table.split('.')[0] ?? ''))]
    for (const [table, columns] of await tablesOf(db, schemas)) {
      const rows = copied.filter(copy => copy.table === table).map(({ row }) => row)
      const present = columns.filter(({ name }) => rows.some(row => name in row))
      if (rows.length === 0) continue
      await db.query(`
        insert into ${table} (${present.map(({ name }) => `"${name}"`).join(', ')}) overriding system value
        select ${present.map(({ name, type }) => `(r ->> '${name}')::${type}`).join(', ')} from json_array_elements($1::json) r`, [JSON.stringify(rows)])
    }
    await continueIdentities(db, schemas)
  })
}

/** What a dump does with sequences: the next number comes after those that are taken. */
async function continueIdentities (db: pg.ClientBase, schemas: readonly string[]): Promise<void> {
  const { rows } = await db.query<{ table: string, column: string }>(`
    select format('%I.%I', table_schema, table_name) as "table", column_name as "column"
    from information_schema.columns where is_identity = 'YES' and table_schema = any ($1)`, [schemas])
  for (const { table, column } of rows) {
    await db.query(`select setval(pg_get_serial_sequence($1, $2), max("${column}")) from ${table} having max("${column}") is not null`, [table, column])
  }
}

async function inTransaction<T> (pool: pg.Pool, begin: string, action: (db: pg.ClientBase) => Promise<T>): Promise<T> {
  const db = await pool.connect()
  try {
    await db.query("set timezone = 'UTC'")
    await db.query(begin)
    const result = await action(db)
    await db.query('commit')
    return result
  } finally {
    // Also where it failed: the connection closes, and what was not committed is gone.
    db.release(true)
  }
}

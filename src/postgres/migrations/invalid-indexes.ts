import type pg from 'pg'

/**
 * Indexes of ours that no query uses: a concurrent build failed and left them, or is still under way.
 * @returns their names, with schema
 */
export async function invalidIndexes (db: pg.ClientBase | pg.Pool): Promise<string[]> {
  const { rows } = await db.query<{ name: string }>(`
    select format('%I.%I', n.nspname, c.relname) as name
    from pg_index i
    join pg_class c on c.oid = i.indexrelid
    join pg_namespace n on n.oid = c.relnamespace
    where not i.indisvalid and (n.nspname in ('ledger', 'reporting') or n.nspname like 'projection%')
    order by 1`)
  return rows.map(({ name }) => name)
}

/** States for people what to do about them. */
export function invalidIndexesText (names: readonly string[]): string {
  return names.map(name => `The index ${name} is invalid, and no query uses it: its build failed or is still under way. If nothing builds it (pg_stat_progress_create_index), ${mend(name)}`).join('\n')
}

/** A failed `reindex concurrently` leaves a copy, and the index itself works on. */
function mend (name: string): string {
  return /_cc(new|old)\d*"?$/.test(name) ? `drop it: drop index concurrently ${name};` : `rebuild it: reindex index concurrently ${name};`
}

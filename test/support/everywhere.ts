import type pg from 'pg'

/** Every row of every table of ours as plain text, by table: bytes and escapes are undone, JSON inside strings, too. */
export async function everyRow (pool: pg.Pool): Promise<Array<{ table: string, text: string }>> {
  const { rows: tables } = await pool.query<{ name: string }>(`
    select format('%I.%I', n.nspname, c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ('ledger', 'projection', 'projection_build') and c.relkind in ('r', 'p') order by 1`)
  const all: Array<{ table: string, text: string }> = []
  for (const { name } of tables) {
    const { rows } = await pool.query<{ row: string }>(`select to_jsonb(t)::text as row from ${name} t`)
    all.push(...rows.map(({ row }) => ({ table: name, text: plain(JSON.parse(row)).join('\n').normalize('NFC').toLowerCase() })))
  }
  return all
}

/** In which tables any of some texts stands, with the row's beginning. */
export async function findEverywhere (pool: pg.Pool, texts: readonly string[]): Promise<string[]> {
  const wanted = texts.map(text => text.normalize('NFC').toLowerCase())
  const rows = await everyRow(pool)
  return rows.flatMap(({ table, text }) => wanted.filter(one => text.includes(one)).map(one => `${table}: ${one} in ${text.slice(Math.max(0, text.indexOf(one) - 300), text.indexOf(one) + 100)}`))
}

function plain (value: unknown): string[] {
  if (typeof value === 'string') {
    const bytes = /^\\x([0-9a-f]{2})*$/.test(value) ? Buffer.from(value.slice(2), 'hex').toString() : value
    return [bytes, ...within(bytes)]
  }
  if (typeof value !== 'object' || value === null) return [String(value)]
  return Object.entries(value).flatMap(([key, member]) => [key, ...plain(member)])
}

function within (text: string): string[] {
  if (!/^\s*[[{]/.test(text)) return []
  try {
    return plain(JSON.parse(text))
  } catch {
    return []
  }
}

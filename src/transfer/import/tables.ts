import type { Providers } from '../../providers/index.ts'
import type { FileTable, Provider } from '../../providers/provider.ts'
import { UnreadableFile } from './entry.ts'

/** Whose export a table is, and how its rows are read. */
export interface Table { provider: Provider, rows: FileTable }

/**
 * What a table is, by its columns.
 * @throws UnreadableFile that names what it is instead, or which columns are missing, and says what to do
 */
export function tableOf (columns: readonly string[], file: string, providers: Providers): Table {
  const tables = providers.all.flatMap(provider => (provider.files?.tables ?? []).map((rows): Table => ({ provider, rows })))
  const table = tables.find(({ rows }) => rows.required_columns.every(name => columns.includes(name)))
  if (table !== undefined) return table
  throw new UnreadableFile(refusal(columns, file, tables, providers))
}

/** What the columns of a table lack that is not needed, and what that costs. */
export function warningsOf ({ rows }: Table, columns: readonly string[]): string[] {
  return Object.entries(rows.wanted_columns).filter(([name]) => !columns.includes(name))
    .map(([name, cost]) => `the column ${name} is missing in this export of ${rows.name}. ${cost} ${rows.how_to_export}`)
}

function refusal (columns: readonly string[], file: string, tables: readonly Table[], providers: Providers): string {
  const has = ({ signature }: Pick<FileTable, 'signature'>): boolean => signature.every(name => columns.includes(name))
  const [first] = tables
  if (first === undefined) return `${file} is a table, and no provider of this ledger exports any that can be imported.`
  const unused = providers.all.flatMap(({ files }) => files?.unused_tables ?? []).find(has)
  const known = tables.find(({ rows }) => has(rows))
  if (unused !== undefined && known === undefined) return `${file} is an export of ${unused.name}, which is not imported. ${unused.instead}`
  const { rows } = known ?? first
  const missing = rows.required_columns.filter(name => !columns.includes(name))
  const lacks = missing.length === 1 ? `column ${missing[0]} is` : `columns ${missing.join(', ')} are`
  if (known !== undefined) return `${file} is an export of ${rows.name}, but the ${lacks} missing. ${rows.how_to_export}`
  const names = tables.map(table => table.rows.name)
  return `${file}: the ${lacks} missing, so this is no export of ${rows.name}. ${rows.how_to_export} Exports that can be imported: ${names.join(', ')}.`
}

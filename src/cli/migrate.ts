import type { Config } from '../config.ts'
import { invalidIndexesText } from '../postgres/migrations/invalid-indexes.ts'
import { findInvalidIndexes, migrateDown, migrationStatus } from '../postgres/migrations/migrate.ts'
import { migrate, withDatabase } from '../app/open.ts'
import { writeResult, table, type Output } from '../app/output.ts'

export interface MigrateCommandOptions {
  /** How many seconds to retry while other sessions hold the locks that a migration needs; undefined: the default. */
  wait?: number | undefined
}

const waitOf = ({ wait }: MigrateCommandOptions): { blocked_wait_ms?: number } => wait === undefined ? {} : { blocked_wait_ms: wait * 1000 }

/** `migrate up`: applies pending migrations and, on a new database, fixes the number of shards. */
export async function migrateUpCommand (config: Config, output: Output, options: MigrateCommandOptions): Promise<void> {
  await withDatabase(config, async database => {
    const applied = await migrate(database, config, line => { output.progress(line) }, waitOf(options))
    writeResult(output, { applied }, applied.length === 0 ? 'The database is up to date.' : `Applied ${applied.join(', ')}.`)
  })
}

/** `migrate down`: reverts the last migrations. Data in the tables they created is lost. */
export async function migrateDownCommand (config: Config, output: Output, { count, ...options }: MigrateCommandOptions & { count: number }): Promise<void> {
  await withDatabase(config, async database => {
    const reverted = await migrateDown(database.url, { count, ...waitOf(options), log: line => { output.progress(line) } })
    writeResult(output, { reverted }, reverted.length === 0 ? 'Nothing to revert.' : `Reverted ${reverted.join(', ')}.`)
  })
}

/** `migrate status`: lists applied and pending migrations, those unknown to this version, and invalid indexes. */
export async function migrateStatusCommand (config: Config, output: Output): Promise<void> {
  await withDatabase(config, async database => {
    const status = await migrationStatus(database.url)
    const rows = Object.entries(status).flatMap(([state, names]) => (names as string[]).map(name => [name, state]))
    const invalid = await findInvalidIndexes(database.url)
    const text = [table(['migration', 'state'], rows), ...(invalid.length > 0 ? [invalidIndexesText(invalid)] : [])].join('\n\n')
    writeResult(output, { ...status, invalid_indexes: invalid }, text)
  })
}

import type { Config } from '../config.ts'
import { invalidIndexesText } from '../postgres/migrations/invalid-indexes.ts'
import { findInvalidIndexes, migrateDown, migrationStatus } from '../postgres/migrations/migrate.ts'
import { migrate, withDatabase } from '../app/open.ts'
import { say, table, type Output } from '../app/output.ts'

export interface MigrateCommandOptions {
  /** How many seconds to go on trying where others hold the locks that a migration needs; undefined: as long as is usual. */
  wait?: number | undefined
}

const waitOf = ({ wait }: MigrateCommandOptions): { blocked_wait_ms?: number } => wait === undefined ? {} : { blocked_wait_ms: wait * 1000 }

/** `migrate up`: applies what is pending and fixes the number of shards. */
export async function migrateUpCommand (config: Config, output: Output, options: MigrateCommandOptions): Promise<void> {
  await withDatabase(config, async database => {
    const applied = await migrate(database, config, line => { output.progress(line) }, waitOf(options))
    say(output, { applied }, applied.length === 0 ? 'The database is current.' : `Applied ${applied.join(', ')}.`)
  })
}

/** `migrate down`: takes back the last migrations. Data in what they made is gone. */
export async function migrateDownCommand (config: Config, output: Output, { count, ...options }: MigrateCommandOptions & { count: number }): Promise<void> {
  await withDatabase(config, async database => {
    const reverted = await migrateDown(database.url, { count, ...waitOf(options), log: line => { output.progress(line) } })
    say(output, { reverted }, reverted.length === 0 ? 'Nothing to take back.' : `Took back ${reverted.join(', ')}.`)
  })
}

/** `migrate status`: which migrations are applied, pending, or unknown to this version, and which indexes are of no use. */
export async function migrateStatusCommand (config: Config, output: Output): Promise<void> {
  await withDatabase(config, async database => {
    const status = await migrationStatus(database.url)
    const rows = Object.entries(status).flatMap(([state, names]) => (names as string[]).map(name => [name, state]))
    const invalid = await findInvalidIndexes(database.url)
    const text = [table(['migration', 'state'], rows), ...(invalid.length > 0 ? [invalidIndexesText(invalid)] : [])].join('\n\n')
    say(output, { ...status, invalid_indexes: invalid }, text)
  })
}

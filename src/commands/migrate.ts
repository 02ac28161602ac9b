import type { Config } from '../config.ts'
import { migrateDown, migrationStatus } from '../store/migrate.ts'
import { migrate, withPlace } from './open.ts'
import { say, table, type Output } from './output.ts'

/** `migrate up`: applies what is pending and fixes the number of shards. */
export async function migrateUpCommand (config: Config, output: Output): Promise<void> {
  await withPlace(config, async place => {
    const applied = await migrate(place, config, line => { output.progress(line) })
    say(output, { applied }, applied.length === 0 ? 'The database is current.' : `Applied ${applied.join(', ')}.`)
  })
}

/** `migrate down`: takes back the last migrations. Data in what they made is gone. */
export async function migrateDownCommand (config: Config, output: Output, count: number): Promise<void> {
  await withPlace(config, async place => {
    const reverted = await migrateDown(place.url, { count, log: line => { output.progress(line) } })
    say(output, { reverted }, reverted.length === 0 ? 'Nothing to take back.' : `Took back ${reverted.join(', ')}.`)
  })
}

/** `migrate status`: which migrations are applied, pending, or unknown to this version. */
export async function migrateStatusCommand (config: Config, output: Output): Promise<void> {
  await withPlace(config, async place => {
    const status = await migrationStatus(place.url)
    const rows = Object.entries(status).flatMap(([state, names]) => (names as string[]).map(name => [name, state]))
    say(output, status, table(['migration', 'state'], rows))
  })
}

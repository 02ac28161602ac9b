import { readdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'

/** The migrations of this version of the code. The same relative path from src/store and from dist/store. */
export const migrationsFolder = fileURLToPath(new URL('../../migrations/', import.meta.url))

const migrationsTable = 'ledger_migrations'
const lock_wait_ms = 60_000
/** node-pg-migrate's own well-known lock: whoever runs its command line by hand waits for us, and we for them. */
const lockKey = '7241865325823964'
/** Skips hidden files (an editor's) and whatever is not SQL (a README). */
const notMigrations = '(\\..*|(?!.*\\.sql$).*)'

export interface MigrateOptions {
  log?: (line: string) => void
  /** Where the migrations are; the product's own unless a test says otherwise. */
  dir?: string
  /** How long to wait for another process that migrates the same database. */
  lock_wait_ms?: number
}

/** Names of migrations without `.sql`, oldest first. `unknown`: applied by a newer version of the code. */
export interface MigrationStatus { applied: string[], pending: string[], unknown: string[] }

/** A migration that failed (`migration_failed`), or a database that another process migrates (`migration_locked`). `cause` is the database's error. */
export class MigrationError extends Error {
  readonly code: 'migration_failed' | 'migration_locked'

  constructor (code: MigrationError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'MigrationError'
    this.code = code
  }
}

/**
 * Applies the pending migrations in order, each in its own transaction, and returns their names. A second process waits
 * for the first and then finds nothing to do. A database newer than the code is left alone.
 */
export async function migrateUp (databaseUrl: string, options: MigrateOptions = {}): Promise<string[]> {
  return await migrate(databaseUrl, { ...options, direction: 'up' })
}

/** Takes back the last `count` migrations, newest first, and returns their names. */
export async function migrateDown (databaseUrl: string, options: MigrateOptions & { count: number }): Promise<string[]> {
  return await migrate(databaseUrl, { ...options, direction: 'down' })
}

/** Compares the database with the code. Changes nothing: a database without our table has applied nothing. */
export async function migrationStatus (database: string | pg.ClientBase | pg.Pool, { dir = migrationsFolder }: { dir?: string } = {}): Promise<MigrationStatus> {
  const known = await listMigrations(dir)
  const applied = typeof database === 'string' ? await withClient(database, readApplied) : await readApplied(database)
  return {
    applied,
    pending: known.filter(name => !applied.includes(name)),
    unknown: applied.filter(name => !known.includes(name))
  }
}

async function migrate (databaseUrl: string, options: MigrateOptions & { direction: 'up' | 'down', count?: number }): Promise<string[]> {
  const { direction, count, dir = migrationsFolder, log = () => {} } = options
  // Loaded here: it costs 100 ms, and a server or a test that only asks for the status need not pay.
  const { runner } = await import('node-pg-migrate')
  return await withClient(databaseUrl, async client => {
    await waitForLock(client, options.lock_wait_ms ?? lock_wait_ms)
    try {
      const run = await runner({
        dbClient: client,
        dir,
        ignorePattern: notMigrations,
        direction,
        ...(count === undefined ? {} : { count }),
        migrationsSchema: 'public',
        migrationsTable,
        checkOrder: true,
        // One transaction for each: what went well stays, and a failure names one file.
        singleTransaction: false,
        noLock: true,
        logger: { info: () => {}, warn: log, error: text => { log(excerpt(text)) } }
      })
      for (const { name } of run) log(`${direction === 'up' ? 'applied' : 'took back'} ${name}`)
      return run.map(({ name }) => name)
    } catch (cause) {
      // The library puts the stack into the message.
      const [reason] = (cause as Error).message.split(/\n +at /)
      const grant = (cause as { code?: string }).code === '42501' || /permission denied/.test(reason ?? '')
        ? ' The login that migrates must own the database, or have CREATE on it, and CREATEROLE.'
        : ''
      throw new MigrationError('migration_failed', `The database could not be migrated ${direction}: ${reason}.${grant} What failed left nothing behind; migrations before it stay.`, { cause })
    }
  })
}

/** The library waits for ever or not at all; we wait with a limit. Closing the connection gives the lock back, and rolls back what failed. */
async function waitForLock (client: pg.Client, wait_ms: number): Promise<void> {
  await client.query(`set lock_timeout = ${Math.max(1, Math.trunc(wait_ms))}`)
  try {
    await client.query('select pg_advisory_lock($1)', [lockKey])
  } catch (cause) {
    if ((cause as { code?: string }).code !== '55P03') throw cause
    throw new MigrationError('migration_locked', `Another process has been migrating this database for more than ${wait_ms / 1000} s. Wait for it, or end it, and try again.`, { cause })
  }
  await client.query('reset lock_timeout')
}

async function withClient<Result> (connectionString: string, action: (client: pg.Client) => Promise<Result>): Promise<Result> {
  const client = new pg.Client({ connectionString, application_name: 'loyalty-ledger migrate', connectionTimeoutMillis: 5000 })
  await client.connect()
  try {
    return await action(client)
  } finally {
    await client.end()
  }
}

/** The library reports a failure with the whole file in front; what helps is the line it points at, and the database's words. */
function excerpt (text: string): string {
  const lines = text.trimEnd().split('\n')
  const mark = lines.findIndex(line => line.includes('^^^^'))
  return mark === -1 ? lines.slice(-1).join() : [lines[mark - 1], lines[mark], lines.at(-1)].join('\n')
}

async function readApplied (db: pg.ClientBase | pg.Pool): Promise<string[]> {
  const table = `public.${migrationsTable}`
  const { rows: [found] } = await db.query<{ exists: boolean }>('select to_regclass($1) is not null as exists', [table])
  if (found?.exists !== true) return []
  const { rows } = await db.query<{ name: string }>(`select name from ${table} order by run_on, id`)
  return rows.map(({ name }) => name)
}

async function listMigrations (dir: string): Promise<string[]> {
  const ignored = new RegExp(`^${notMigrations}$`)
  return (await readdir(dir))
    .filter(name => !ignored.test(name))
    .map(name => name.slice(0, -'.sql'.length))
    .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10) || (a < b ? -1 : 1))
}

import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { describeBlocker, watchBlockers, type Watch } from './lock-holders.ts'
import { invalidIndexes, invalidIndexesText } from './invalid-indexes.ts'
import { MigrationError } from './error.ts'
import { listMigrations, loadScripts, migrationsFolder, notMigrations, type Direction } from './files.ts'
import { isBlocked, pauseAfter, waitForLock } from './locks.ts'
import { applyRepeatable, listRepeatable, repeatableStatus } from './repeatable.ts'

export { MigrationError } from './error.ts'
export { migrationsFolder } from './files.ts'

const migrationsTable = 'ledger_migrations'
const lock_wait_ms = 60_000
const blocked_wait_ms = 600_000
/**
 * Sessions that come after a statement that waits for a lock wait, too: appends and reads may be blocked for so long.
 */
const lock_timeout_ms = 2000

export interface MigrateOptions {
  log?: (line: string) => void
  /** The folder of the migrations; the product's own by default. */
  dir?: string
  /** How long to wait for another process that migrates the same database. */
  lock_wait_ms?: number
  /** How long to retry while others hold the locks that a migration needs. */
  blocked_wait_ms?: number
  /** How long one try waits for a lock. */
  lock_timeout_ms?: number
}

/**
 * Names of migrations without `.sql`, oldest first. `pending` ends with the repeatable files whose text was never
 * applied. `unknown`: applied by a newer version of the code. `replaced`: repeatable files of which another text was
 * applied after ours.
 */
export interface MigrationStatus { applied: string[], pending: string[], unknown: string[], replaced: string[] }

/**
 * Applies the pending migrations in order, each in its own transaction, then the repeatable files whose text is not the
 * current one, in one transaction. Returns their names. A second process waits for the first and then finds nothing to
 * do. A database newer than the code is left alone.
 *
 * Safe while the service runs: a migration never waits long for a lock, since all sessions behind it would wait, too.
 * It gives up, leaves nothing behind, and is tried again.
 * @throws MigrationError
 */
export async function migrateUp (databaseUrl: string, options: MigrateOptions & { count?: number } = {}): Promise<string[]> {
  return await migrate(databaseUrl, { count: Infinity, ...options, direction: 'up' })
}

/**
 * Reverts the last `count` migrations, newest first, and returns their names. Repeatable files stay. Waits and fails as
 * `migrateUp`.
 */
export async function migrateDown (databaseUrl: string, options: MigrateOptions & { count: number }): Promise<string[]> {
  return await migrate(databaseUrl, { ...options, direction: 'down' })
}

/** Compares the database with the code. Changes nothing: a database without our tables has applied nothing. */
export async function migrationStatus (database: string | pg.ClientBase | pg.Pool, { dir = migrationsFolder }: { dir?: string } = {}): Promise<MigrationStatus> {
  if (typeof database === 'string') return await withClient(database, async client => await migrationStatus(client, { dir }))
  const known = await listMigrations(dir)
  const applied = await readApplied(database)
  const unknown = applied.filter(name => !known.includes(name))
  const repeatable = await repeatableStatus(database, await listRepeatable(dir))
  const names = (files: ReadonlyArray<{ name: string }>): string[] => unknown.length > 0 ? [] : files.map(({ name }) => name)
  return {
    applied,
    pending: [...known.filter(name => !applied.includes(name)), ...names(repeatable.pending)],
    unknown,
    replaced: names(repeatable.replaced)
  }
}

/** The indexes of ours that are invalid: see `invalidIndexes`. */
export async function findInvalidIndexes (databaseUrl: string): Promise<string[]> {
  return await withClient(databaseUrl, invalidIndexes)
}

type Migrating = MigrateOptions & { direction: Direction, count: number }

async function migrate (databaseUrl: string, options: Migrating): Promise<string[]> {
  const { direction, count, log = () => {} } = options
  return await withClient(databaseUrl, async client => {
    await waitForLock(client, options.lock_wait_ms ?? lock_wait_ms)
    const watch = await watchBlockers(databaseUrl, await pidOf(client), blockers => { log(`waiting for ${blockers.map(describeBlocker).join('; ')}`) })
    try {
      const done: string[] = []
      while (done.length < count) {
        const name = await migrateOne(client, watch, options)
        if (name === undefined) break
        log(`${direction === 'up' ? 'applied' : 'reverted'} ${name}`)
        done.push(name)
      }
      if (direction === 'up' && done.length < count) done.push(...await migrateRepeatable(client, watch, options))
      const invalid = await invalidIndexes(client)
      if (invalid.length > 0) log(invalidIndexesText(invalid))
      return done
    } finally {
      await watch.close()
    }
  })
}

/** The migration or file that is being tried, for messages. */
interface Tried { name: string, live: boolean }

/** Applies the next migration. @returns its name; undefined when there is none left */
async function migrateOne (client: pg.Client, watch: Watch, options: Migrating): Promise<string | undefined> {
  const tried = { name: 'the migration', live: false }
  return await untilUnblocked(client, watch, options, tried, async waits => await run(client, options, tried, waits))
}

/** Applies the repeatable files whose text is not the current one, in one transaction. @returns their names */
async function migrateRepeatable (client: pg.Client, watch: Watch, options: Migrating): Promise<string[]> {
  const { dir = migrationsFolder, log = () => {} } = options
  const { unknown, pending, replaced } = await migrationStatus(client, { dir })
  const files = (await listRepeatable(dir)).filter(({ name }) => pending.includes(name) || replaced.includes(name))
  // A database that is newer than this code has newer functions and views, too.
  if (unknown.length > 0 || files.length === 0) return []
  const names = files.map(({ name }) => name)
  const tried = { name: 'the repeatable files', live: false }
  await untilUnblocked(client, watch, options, tried, async ({ short_ms }) => {
    await client.query(`begin; set local lock_timeout = ${short_ms}`)
    await applyRepeatable(client, files, tried)
    await client.query('commit')
  })
  for (const name of names) log(`applied ${name}`)
  return names
}

/** Retries until the work gets its locks. Each try waits briefly, since all sessions behind it wait, too. */
async function untilUnblocked<Result> (
  client: pg.Client, watch: Watch, options: Migrating, tried: Tried, work: (waits: { short_ms: number, long_ms: number }) => Promise<Result>
): Promise<Result> {
  const { log = () => {} } = options
  const timeout_ms = options.lock_timeout_ms ?? lock_timeout_ms
  const wait_ms = options.blocked_wait_ms ?? blocked_wait_ms
  const deadline = performance.now() + wait_ms
  for (let attempt = 1; ; attempt++) {
    try {
      return await work({ short_ms: timeout_ms, long_ms: Math.max(timeout_ms, deadline - performance.now()) })
    } catch (cause) {
      if (!isBlocked(cause)) throw failed(cause, options.direction, tried)
      await client.query('rollback')
      const pause_ms = pauseAfter(attempt, timeout_ms)
      if (performance.now() + pause_ms >= deadline) throw blocked(cause, watch, tried, wait_ms)
      log(`${tried.name} did not get its locks within ${timeout_ms / 1000} s; it is tried again in ${(pause_ms / 1000).toFixed(1)} s`)
      await sleep(pause_ms)
    }
  }
}

/** Applies the next one through the library. @param tried is filled in when the library has chosen it */
async function run (client: pg.Client, options: Migrating, tried: Tried, waits: { short_ms: number, long_ms: number }): Promise<string | undefined> {
  const { direction, dir = migrationsFolder, log = () => {} } = options
  // Loaded here: it costs 100 ms, which a server that only asks for the status need not pay.
  const { runner } = await import('node-pg-migrate')
  const [done] = await runner({
    dbClient: client,
    dir,
    ignorePattern: notMigrations,
    migrationLoaderStrategies: [{
      extensions: ['.sql'],
      loader: loadScripts(({ live }, name) => {
        Object.assign(tried, { name, live })
        // A live statement blocks nobody while it waits, and a second try would start from the beginning: it may wait
        // long.
        return `set lock_timeout = ${Math.ceil(live ? waits.long_ms : waits.short_ms)}`
      })
    }],
    direction,
    // One at a time: a failure names one file, and the migrations before it stay.
    count: 1,
    migrationsSchema: 'public',
    migrationsTable,
    checkOrder: true,
    singleTransaction: false,
    // Our lock spans the migrations, their retries and the repeatable files.
    noLock: true,
    // A lock timeout is reported by `blocked`, with who holds the lock.
    logger: { info: () => {}, warn: () => {}, error: text => { if (!text.includes('lock timeout')) log(excerpt(text)) } }
  })
  return done?.name
}

function failed (cause: unknown, direction: Direction, { name, live }: Tried): MigrationError {
  // The library puts the stack into the message.
  const [reason] = (cause as Error).message.split(/\n +at /)
  const grant = (cause as { code?: string }).code === '42501' || /permission denied/.test(reason ?? '')
    ? ' The login that migrates must own the database, or have CREATE on it, and CREATEROLE.'
    : ''
  return new MigrationError('migration_failed', `The database could not be migrated ${direction}: ${name} failed: ${reason}.${grant} ${leftBehind(live)}`, { cause })
}

function blocked (cause: unknown, watch: Watch, { name, live }: Tried, wait_ms: number): MigrationError {
  const who = watch.seen().map(describeBlocker).join('; ') || 'sessions that could not be seen'
  return new MigrationError('migration_blocked', `${name} did not get its locks in ${wait_ms / 1000} s: they are held by ${who}. Wait for that to end, or end it with select pg_terminate_backend(…), and run \`migrate up\` again. ${leftBehind(live)}`, { cause })
}

function leftBehind (live: boolean): string {
  return live
    ? 'It runs outside a transaction, so it may have left an invalid index, which no query uses and the next run repairs; migrations before it stay.'
    : 'It left nothing behind; migrations before it stay.'
}

async function pidOf (client: pg.Client): Promise<number> {
  const { rows: [session] } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
  return session?.pid ?? 0
}

async function withClient<Result> (connectionString: string, action: (client: pg.Client) => Promise<Result>): Promise<Result> {
  const client = new pg.Client({ connectionString, application_name: 'loyalty-ledger migrate', connectionTimeoutMillis: 5000 })
  // A broken connection fails the next query; without a listener it would end the process between two queries.
  client.on('error', () => {})
  await client.connect()
  try {
    return await action(client)
  } finally {
    await client.end()
  }
}

/** The library reports a failure with the whole file; this keeps the line that it marks and the database's message. */
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

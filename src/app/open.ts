import type pg from 'pg'
import type { Config } from '../config.ts'
import { openCluster } from '../postgres/embedded/index.ts'
import type { Ingest } from '../ingest/store-delivery.ts'
import { projections } from '../projections/index.ts'
import { append } from '../log/append.sql.ts'
import { createCheckpoints } from '../engine/checkpoints.sql.ts'
import { createAppender } from '../log/appender.ts'
import { closePool, databaseOf, openPool, type DatabaseOptions, type Db } from '../postgres/database.ts'
import { dropBuild } from '../engine/rebuild/projection-schema.sql.ts'
import { migrateUp, migrationStatus } from '../postgres/migrations/migrate.ts'
import { whoMayRestore } from '../log/restore.sql.ts'
import { countShards, createShards } from '../log/shards.sql.ts'
import { CommandError } from './errors.ts'

/**
 * What a command may do: as the login itself, unless a role is named. A service must not be able to do all that
 * commands do.
 */
type Access = Pick<DatabaseOptions, 'role' | 'readOnly' | 'projectionSchema'>

/** The database of a process. What was opened on it is closed with it, last first. */
export interface DatabaseHandle {
  url: string
  /** A real PostgreSQL of our own in DATA_DIR, because DATABASE_URL is unset. */
  embedded: boolean
  /** Opens connections for a command. */
  connect: (access?: Access) => { db: Db, pool: pg.Pool }
  /** Registers something to close before what it was opened on. */
  onClose: (close: () => Promise<void>) => void
  close: () => Promise<void>
}

/** For two lanes at once (`inTwoLanes`), each in a transaction of its own. */
const COMMAND_POOL = 2

/** Finds the database, starting the embedded one where DATABASE_URL is unset. Connects to nothing yet. */
export async function openDatabase (config: Config, log: (line: string) => void): Promise<DatabaseHandle> {
  const cluster = config.DATABASE_URL === undefined ? await openCluster({ dataDir: config.DATA_DIR, log }) : undefined
  const url = cluster?.url ?? config.DATABASE_URL ?? ''
  const closers: Array<() => Promise<void>> = cluster === undefined ? [] : [cluster.release]

  async function close (): Promise<void> {
    const last = closers.pop()
    if (last === undefined) return
    // One that fails must not keep the others open, least of all the embedded PostgreSQL.
    try { await last() } finally { await close() }
  }

  return {
    url,
    embedded: cluster !== undefined,
    connect (access = {}) {
      const pool = openPool({ url, ...access, poolSize: COMMAND_POOL, name: 'command' })
      closers.push(async () => { await closePool(pool) })
      return { db: databaseOf(pool), pool }
    },
    onClose: closer => { closers.push(closer) },
    close
  }
}

/** Runs a command that needs the database only for its own duration, migrated or not. */
export async function withDatabase<T> (config: Config, action: (database: DatabaseHandle) => Promise<T>): Promise<T> {
  const database = await openDatabase(config, () => {})
  try {
    return await action(database)
  } finally {
    await database.close()
  }
}

/** What a command on a migrated ledger can have beside its connections. */
export interface LedgerHandle {
  shards: number
  /** Opens further connections. */
  connect: (access: Access) => Db
  /** Opens a way into the log: `append`, or `restore` for events that keep the time at which they were first stored. */
  openIngest: (store?: typeof append) => Ingest
}

/**
 * Runs a command on a migrated ledger; as the login, unless `access` names a role.
 * @throws CommandError migrations_pending, shards_missing
 */
export async function withLedger<T> (config: Config, action: (db: Db, ledger: LedgerHandle) => Promise<T>, access: Access = {}): Promise<T> {
  return await withDatabase(config, async database => {
    const { db, pool } = database.connect(access)
    await requireMigrated(pool, () => {})
    const shards = await requireShards(db)
    return await action(db, {
      shards,
      connect: further => database.connect(further).db,
      openIngest (store = append) {
        const appender = createAppender(db, { queueLimit: QUEUE_LIMIT, store })
        database.onClose(appender.close)
        return { db, appender, shards }
      }
    })
  })
}

/**
 * A command waits for its own batches of a few hundred. APPEND_QUEUE_LIMIT protects a server from crowds and does not
 * apply.
 */
const QUEUE_LIMIT = 1000

/**
 * Brings the database up to this version of the code, and a new ledger to its beginning.
 * @returns the names of the migrations applied
 */
export async function migrate (database: DatabaseHandle, config: Config, log: (line: string) => void, options: { blocked_wait_ms?: number } = {}): Promise<string[]> {
  const applied = await migrateUp(database.url, { log, ...options })
  const { db, pool } = database.connect()
  const shards = await createShards(db, config.SHARDS)
  await createCheckpoints(db, projections)
  // A rebuild's tables are copies of tables that a migration has changed since; repeatable files (functions/…, views/…)
  // change none.
  if (applied.some(name => !name.includes('/'))) await dropBuild(db)
  await closePool(pool)
  if (shards !== config.SHARDS) log(`SHARDS is ${config.SHARDS}, but this ledger was created with ${shards} and keeps them.`)
  return applied
}

/** @throws CommandError migrations_pending */
export async function requireMigrated (pool: pg.Pool, log: (line: string) => void): Promise<void> {
  const { pending, unknown, replaced } = await migrationStatus(pool)
  if (pending.length > 0) {
    throw new CommandError('migrations_pending', `The database lacks ${pending.length} migration(s): ${pending.join(', ')}. Run \`npx loyalty-ledger migrate up\`, or serve with --migrate.`)
  }
  if (replaced.length > 0) log(`Another version of the ledger has replaced ${replaced.join(', ')}.`)
  if (unknown.length > 0) log(`The database is newer than this version of the ledger, which does not know ${unknown.join(', ')}.`)
}

/** @throws CommandError shards_missing */
export async function requireShards (db: Db): Promise<number> {
  const shards = await countShards(db)
  if (shards === 0) throw new CommandError('shards_missing', 'The database has no shards yet. Run `npx loyalty-ledger migrate up`, or serve with --migrate.')
  return shards
}

/**
 * Only the owner of the ledger may say when an event was first stored; the service's role must not be able to.
 * @throws CommandError restore_forbidden
 */
export async function requireRestorer (db: Db): Promise<void> {
  const { may, owner } = await whoMayRestore(db)
  if (!may) throw new CommandError('restore_forbidden', `An export of a ledger says when each event was first stored, and this login may not keep that: let DATABASE_URL log in as ${owner}, who owns the ledger.`)
}

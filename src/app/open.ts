import type pg from 'pg'
import type { Config } from '../config.ts'
import { openCluster } from '../postgres/embedded/index.ts'
import type { Ingest } from '../ingest/store-delivery.ts'
import { projections } from '../projections/index.ts'
import type { Workplace } from '../engine/rebuild/rebuild.ts'
import { append } from '../log/append.sql.ts'
import { createCheckpoints } from '../engine/checkpoints.sql.ts'
import { createAppender } from '../log/appender.ts'
import { closePool, databaseOf, openPool, type DatabaseOptions, type Db } from '../postgres/database.ts'
import { dropBuild } from '../engine/rebuild/projection-schema.sql.ts'
import { migrateUp, migrationStatus } from '../postgres/migrations/migrate.ts'
import { restore, whoMayRestore } from '../log/restore.sql.ts'
import { countShards, createShards } from '../log/shards.sql.ts'
import { CommandError } from './errors.ts'

/** Where the ledger is kept, for as long as a command runs. */
export interface Place {
  url: string
  /** A real PostgreSQL of our own in DATA_DIR, because DATABASE_URL is unset. */
  embedded: boolean
  release: () => Promise<void>
}

/** Finds the database, starting the embedded one where DATABASE_URL is unset. */
export async function openPlace (config: Config, log: (line: string) => void): Promise<Place> {
  if (config.DATABASE_URL !== undefined) return { url: config.DATABASE_URL, embedded: false, release: async () => {} }
  const cluster = await openCluster({ dataDir: config.DATA_DIR, log })
  return { url: cluster.url, embedded: true, release: async () => { await cluster.release() } }
}

/** How a command uses the database: as the login itself where nothing else is said, for what a service must not be able to do. */
type Access = Pick<DatabaseOptions, 'role' | 'readOnly' | 'projectionSchema'>

/** For two lanes at once (`inTwoLanes`), each in a transaction of its own. */
const COMMAND_POOL = 2

async function withPool<T> (place: Place, access: Access, action: (db: Db, pool: pg.Pool) => Promise<T>): Promise<T> {
  const pool = openPool({ url: place.url, ...access, poolSize: COMMAND_POOL, name: 'command' })
  try {
    return await action(databaseOf(pool), pool)
  } finally {
    await closePool(pool)
  }
}

/** Brings the database up to this version of the code, and a new ledger to its beginning. @returns the names of the migrations applied */
export async function migrate (place: Place, config: Config, log: (line: string) => void, options: { blocked_wait_ms?: number } = {}): Promise<string[]> {
  const applied = await migrateUp(place.url, { log, ...options })
  const shards = await withPool(place, {}, async db => {
    const count = await createShards(db, config.SHARDS)
    await createCheckpoints(db, projections)
    // Its tables were made like tables that a migration has changed since; repeatable files (functions/…, views/…) change none.
    if (applied.some(name => !name.includes('/'))) await dropBuild(db)
    return count
  })
  if (shards !== config.SHARDS) log(`SHARDS is ${config.SHARDS}, but this ledger was created with ${shards} and keeps them.`)
  return applied
}

/**
 * @throws CommandError migrations_pending
 */
export async function requireMigrated (pool: pg.Pool, log: (line: string) => void): Promise<void> {
  const { pending, unknown, replaced } = await migrationStatus(pool)
  if (pending.length > 0) {
    throw new CommandError('migrations_pending', `The database lacks ${pending.length} migration(s): ${pending.join(', ')}. Run \`npx loyalty-ledger migrate up\`, or serve with --migrate.`)
  }
  if (replaced.length > 0) log(`Another version of the ledger has replaced ${replaced.join(', ')}.`)
  if (unknown.length > 0) log(`The database is newer than this version of the ledger: it knows nothing of ${unknown.join(', ')}.`)
}

/** Runs a command that needs nothing but the migrated database; as the login, unless told otherwise. */
export async function withLedger<T> (config: Config, action: (db: Db) => Promise<T>, access: Access = {}): Promise<T> {
  return await withPlace(config, async place => await withPool(place, access, async (db, pool) => {
    await requireMigrated(pool, () => {})
    return await action(db)
  }))
}

/** Runs a command that works on a rebuild beside the live projections. As the login itself: the service may make no tables. */
export async function withWorkplace<T> (config: Config, action: (workplace: Workplace) => Promise<T>): Promise<T> {
  return await withPlace(config, async place => await withPool(place, {}, async (live, pool) => {
    await requireMigrated(pool, () => {})
    return await withPool(place, { projectionSchema: 'projection_build' }, async build => await action({ live, build }))
  }))
}

/** A command waits for its own batches, of a few hundred: a server's APPEND_QUEUE_LIMIT is against crowds, and none of its business. */
const QUEUE_LIMIT = 1000

/** Runs a command that takes deliveries in, beside whatever servers run, and like them as the service's role. */
export async function withIngest<T> (config: Config, action: (intake: Ingest) => Promise<T>): Promise<T> {
  return await withLedger(config, async db => await withAppender(db, append, action), { role: config.DATABASE_ROLE })
}

/**
 * Runs a command that takes events in that keep the time at which they were first stored. The service must not be able to say
 * that, so the command does it as the login.
 * @throws CommandError restore_forbidden
 */
export async function withRestoring<T> (config: Config, action: (intake: Ingest, restoring: Ingest) => Promise<T>): Promise<T> {
  return await withLedger(config, async db => {
    const { may, owner } = await whoMayRestore(db)
    if (!may) throw new CommandError('restore_forbidden', `An export of a ledger says when each event was first stored, and this login may not keep that: let DATABASE_URL log in as ${owner}, who owns the ledger.`)
    return await withAppender(db, append, async intake => await withAppender(db, restore, async restoring => await action(intake, restoring)))
  })
}

async function withAppender<T> (db: Db, store: typeof append, action: (intake: Ingest) => Promise<T>): Promise<T> {
  const shards = await shardsOf(db)
  const appender = createAppender(db, { queueLimit: QUEUE_LIMIT, store })
  try {
    return await action({ db, appender, shards })
  } finally {
    await appender.close()
  }
}

/** Runs a command that only looks what taking deliveries in would come to. It cannot write, and a login that may only read suffices. */
export async function withReading<T> (config: Config, action: (log: { db: Db, shards: number }) => Promise<T>): Promise<T> {
  return await withLedger(config, async db => await action({ db, shards: await shardsOf(db) }), { readOnly: true })
}

/** Runs a command in temporary tables of one connection; beside them it only reads, but a session that makes tables cannot be read-only. */
export async function withScratch<T> (config: Config, action: (db: Db) => Promise<T>): Promise<T> {
  return await withPlace(config, async place => await withPool(place, { projectionSchema: 'pg_temp' }, action))
}

async function shardsOf (db: Db): Promise<number> {
  const shards = await countShards(db)
  if (shards === 0) throw new CommandError('shards_missing', 'The database has no shards yet. Run `npx loyalty-ledger migrate up`.')
  return shards
}

/** Runs a command that needs the database only for its own duration. */
export async function withPlace<T> (config: Config, action: (place: Place) => Promise<T>): Promise<T> {
  const place = await openPlace(config, () => {})
  try {
    return await action(place)
  } finally {
    await place.release()
  }
}

import { Kysely, PostgresDialect, sql, type Transaction } from 'kysely'
import pg from 'pg'
import { parseInstant } from '../ledger/instant.ts'
import { createPool } from './connection.ts'
import { withNamedStatements, type Prepares } from './named-statements.ts'
import { socketsWithTimeout, serverTimeouts } from './dead-peers.ts'
import type { Session } from './session.ts'
import type { Tables } from './tables.ts'

export type Db = Kysely<Tables>
export type Trx = Transaction<Tables>

/**
 * A generation is one schema with a set of projection tables and their checkpoints: the live one, the one that a rebuild
 * fills, or the temporary one of a check, which ends with its connection.
 */
export type ProjectionSchema = 'projection' | 'projection_build' | 'pg_temp'

export interface DatabaseOptions {
  url: string
  /** Role to take on at connection; undefined or empty: stay the login. */
  role?: string | undefined
  /** Which generation's tables the connections see; the live one where nothing is said. */
  projectionSchema?: ProjectionSchema
  /** Every transaction is read-only, whatever the login may do. */
  readOnly?: boolean
  /**
   * How long the database may say nothing while we wait for it; then the connection is given up, by both sides. For services;
   * undefined: for ever, for statements that take their time.
   */
  timeout_ms?: number
  /** Further settings of each connection. */
  settings?: Record<string, string>
  poolSize: number
  /** Shown in pg_stat_activity after `loyalty-ledger`. */
  name: string
  /** Told of connections that broke while idle; the pool replaces them by itself. */
  onIdleError?: (error: Error) => void
}

/** How long a new connection may take, and how long a query waits for a connection of the pool. */
export const CONNECT_TIMEOUT_MS = 5000

const INT8 = 20
const NUMERIC = 1700
const JSON_TEXT = 114
const DATE = 1082
const TIMESTAMPTZ = 1184

/**
 * How our pools, and only ours, read values: int8 as bigint (points are exact), timestamptz as an Instant with its
 * microseconds, date as YYYY-MM-DD, json as the text it is stored as. jsonb is parsed: what we keep in it is our own, never evidence.
 */
const typeParsers = {
  getTypeParser (oid: number, format?: 'text' | 'binary') {
    // Sums of int8 are numeric; nothing of ours has a fraction.
    if (oid === INT8 || oid === NUMERIC) return BigInt
    if (oid === JSON_TEXT || oid === DATE) return (text: string) => text
    if (oid === TIMESTAMPTZ) return (text: string) => parseInstant(text) ?? text
    // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- the driver passes oids as plain numbers
    const standard: unknown = pg.types.getTypeParser(oid, format)
    return standard as (text: string) => unknown
  }
}

/** The query builder over a pool. End the pool with `closePool`: destroying the builder does not where it was never used. */
export function databaseOf (pool: pg.Pool): Db {
  return builderOf(pool, 'marked')
}

/**
 * Opens a pool for the steps of a worker, and the query builder over it. Steps ask the same statements again and again, and find
 * their rows by key: each connection parses and plans them once, for tables of any size. Close the pool with `closePool`.
 */
export function openForSteps (options: DatabaseOptions): { pool: pg.Pool, db: Db } {
  const pool = openPool({ ...options, settings: BY_KEY })
  return { pool, db: builderOf(pool, 'all') }
}

/**
 * A plan that is kept must not have been made for a table that was empty then. And before PostgreSQL 18 a plan that was
 * discouraged counts as very dear, and what is dear gets compiled.
 */
const BY_KEY = { plan_cache_mode: 'force_generic_plan', enable_seqscan: 'off', jit: 'off' }

function builderOf (pool: pg.Pool, prepares: Prepares): Db {
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool: withNamedStatements(pool, prepares) }) })
}

/**
 * Opens a pool. Each connection commits synchronously whatever the server's default is (a 2xx must outlive a crash), reads
 * times in UTC and dates as ISO, and acts as `role`. A connection that differs is refused (`establishSession`).
 */
export function openPool (options: DatabaseOptions): pg.Pool {
  const pool = createPool({
    connectionString: options.url,
    max: options.poolSize,
    application_name: `loyalty-ledger ${options.name}`,
    session: sessionOf(options),
    types: typeParsers,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    ...(options.timeout_ms === undefined ? {} : timeoutsOf(options.timeout_ms))
  })
  pool.on('error', error => options.onIdleError?.(error))
  return pool
}

/** Asks the database for an answer, whatever it is. @throws when there is none */
export async function ping (db: Db): Promise<void> {
  await sql`select 1`.execute(db)
}

/** Ends a pool, once, and waits for its connections to close. */
export async function closePool (pool: pg.Pool): Promise<void> {
  if (!pool.ending) await pool.end()
}

/** A connection at rest is silent, too, and must be gone before that counts. */
function timeoutsOf (timeout_ms: number): pg.PoolConfig {
  return { stream: socketsWithTimeout(timeout_ms), idleTimeoutMillis: timeout_ms / 2 }
}

/** The settings that connections of the ledger need; with a timeout, those by which the server, too, gives up a dead peer. */
export function sessionOf ({ role, projectionSchema = 'projection', readOnly = false, settings = {}, timeout_ms }: Omit<DatabaseOptions, 'url' | 'poolSize' | 'name'>): Session {
  const acting = role === undefined || role === '' ? undefined : role
  return {
    role: acting,
    readOnly,
    settings: {
      synchronous_commit: 'on',
      timezone: 'UTC',
      datestyle: 'ISO',
      default_transaction_isolation: 'read committed',
      search_path: projectionSchema,
      ...(acting === undefined ? {} : { role: acting }),
      ...settings,
      ...(readOnly ? { default_transaction_read_only: 'on' } : {}),
      ...(timeout_ms === undefined ? {} : serverTimeouts(timeout_ms))
    }
  }
}

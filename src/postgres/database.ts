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
 * A schema with a set of projection tables and their checkpoints: the live one, the one that a rebuild fills, or the
 * temporary one of a check, which ends with its connection.
 */
export type ProjectionSchema = 'projection' | 'projection_build' | 'pg_temp'

export interface DatabaseOptions {
  url: string
  /** Role that connections act as; undefined or empty: the login. */
  role?: string | undefined
  /** Which projection tables the connections see; the live ones by default. */
  projectionSchema?: ProjectionSchema
  /** Every transaction is read-only, whatever the login may do. */
  readOnly?: boolean
  /**
   * How long a statement may go unanswered; then both sides give the connection up. For services. undefined: for ever,
   * for commands whose statements take long.
   */
  timeout_ms?: number
  /** Further settings of each connection. */
  settings?: Record<string, string>
  poolSize: number
  /** Shown in pg_stat_activity after `loyalty-ledger`. */
  name: string
  /** Called when a connection broke while idle; the pool replaces it by itself. */
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
 * How connections of the ledger, and no others, read values: int8 as bigint (points are exact), timestamptz as an
 * Instant with its microseconds, date as YYYY-MM-DD, json as the text that is stored. jsonb is parsed: it holds the
 * ledger's own values, never evidence.
 */
const typeParsers = {
  getTypeParser (oid: number, format?: 'text' | 'binary') {
    // Sums of int8 are numeric; no value of the ledger has a fraction.
    if (oid === INT8 || oid === NUMERIC) return BigInt
    if (oid === JSON_TEXT || oid === DATE) return (text: string) => text
    if (oid === TIMESTAMPTZ) return (text: string) => parseInstant(text) ?? text
    // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- the driver passes oids as plain numbers
    const standard: unknown = pg.types.getTypeParser(oid, format)
    return standard as (text: string) => unknown
  }
}

/**
 * The query builder over a pool. End the pool with `closePool`: destroying a builder that was never used does not end
 * it.
 */
export function databaseOf (pool: pg.Pool): Db {
  return builderOf(pool, 'marked')
}

/**
 * Opens a pool for the steps of a worker, and the query builder over it. Steps repeat the same statements and find
 * their rows by key: each connection parses and plans them once, for tables of any size. Close the pool with
 * `closePool`.
 */
export function openForSteps (options: DatabaseOptions): { pool: pg.Pool, db: Db } {
  const pool = openPool({ ...options, settings: BY_KEY })
  return { pool, db: builderOf(pool, 'all') }
}

/**
 * A kept plan must not be one for a table that was empty when it was made, so sequential scans are off. Before
 * PostgreSQL 18 a discouraged plan counts as very expensive, and expensive plans are compiled: hence no JIT.
 */
const BY_KEY = { plan_cache_mode: 'force_generic_plan', enable_seqscan: 'off', jit: 'off' }

function builderOf (pool: pg.Pool, prepares: Prepares): Db {
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool: withNamedStatements(pool, prepares) }) })
}

/**
 * Opens a pool. Each connection commits synchronously whatever the server's default is (a 2xx must outlive a crash),
 * reads times in UTC and dates as ISO, and acts as `role`. A connection that differs is refused (`establishSession`).
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

/** Makes sure that the database answers. @throws when it does not */
export async function ping (db: Db): Promise<void> {
  await sql`select 1`.execute(db)
}

/** Ends a pool, once, and waits for its connections to close. */
export async function closePool (pool: pg.Pool): Promise<void> {
  if (!pool.ending) await pool.end()
}

/** An idle connection is silent, too, and must be closed before its silence counts. */
function timeoutsOf (timeout_ms: number): pg.PoolConfig {
  return { stream: socketsWithTimeout(timeout_ms), idleTimeoutMillis: timeout_ms / 2 }
}

/**
 * The settings that connections of the ledger need; with a timeout, those by which the server, too, gives up a dead
 * peer.
 */
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

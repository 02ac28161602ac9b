import type { FastifyInstance, LightMyRequestResponse } from 'fastify'
import type pg from 'pg'
import { pino } from 'pino'
import type { Test } from 'tap'
import { createApp, type AppLimits } from '../../src/http/app.ts'
import type { HealthOptions } from '../../src/http/routes/health.ts'
import { projections } from '../../src/projections/index.ts'
import { runStep } from '../../src/engine/step.ts'
import { createFreshness } from '../../src/engine/freshness.ts'
import { knownProviders, type Providers } from '../../src/providers/index.ts'
import { webhookPath } from '../../src/providers/provider.ts'
import { createCheckpoints } from '../../src/engine/checkpoints.sql.ts'
import { createAppender, type Appender } from '../../src/log/appender.ts'
import { closePool, databaseOf, openForSteps, openPool, type Db } from '../../src/postgres/database.ts'
import { migrationStatus } from '../../src/postgres/migrations/migrate.ts'
import { sharedCompilers } from './compilers.ts'
import { createDatabase } from './database.ts'

export const SECRET = 'a-webhook-secret'
const LOOPBACK = { host: 'localhost:3000' }

/**
 * A ledger of the test's own: a migrated database, and the app over it as the service's role. No worker runs by itself.
 */
export interface TestLedger {
  url: string
  /** As the owner of the database. */
  owner: pg.Pool
  /** As the service. */
  db: Db
  /** As the service's worker. */
  steps: Db
  app: FastifyInstance
  appender: Appender
  /** Posts a delivery as its provider signs it; the first provider where none is named. */
  post: (body: Buffer | string | object, options?: { secret?: string, headers?: Record<string, string>, provider?: string }) => Promise<LightMyRequestResponse>
  get: (path: string, headers?: Record<string, string>) => Promise<LightMyRequestResponse>
  /** Projects until nothing lags. @returns how many events */
  project: (batch?: number) => Promise<number>
}

/**
 * @param options.database that is there already, instead of a new one
 * @param options.secrets of each provider
 */
export async function openLedger (t: Test, options: {
  shards?: number,
  database?: { url: string, pool: pg.Pool },
  secrets?: readonly string[],
  bodyLimitBytes?: number,
  limits?: Partial<AppLimits>,
  queueLimit?: number,
  worker?: HealthOptions['worker'],
  providers?: Providers
} = {}): Promise<TestLedger> {
  const { shards = 16, secrets = [SECRET], bodyLimitBytes = 1_048_576, queueLimit = 1000, providers = knownProviders } = options
  const { url, pool: owner } = options.database ?? await createDatabase(t, { shards })
  const pool = openPool({ url, role: 'ledger_service', poolSize: 10, name: 'test', onIdleError: () => {} })
  const db = databaseOf(pool)
  const steps = openForSteps({ url, role: 'ledger_service', poolSize: 3, name: 'test', onIdleError: () => {} })
  const appender = createAppender(db, { queueLimit })
  const app = await createApp({
    db,
    ingest: { db, appender, shards },
    projections,
    freshness: createFreshness(db, projections),
    shards,
    providers,
    secrets: Object.fromEntries(providers.all.map(({ name }) => [name, secrets])),
    limits: { bodyLimitBytes, bodiesLimitBytes: 67_108_864, connectionLimit: 1000, ...options.limits },
    compilers: sharedCompilers,
    version: '0.0.0-test',
    logger: pino({ level: process.env.TEST_LOG_LEVEL ?? 'silent' }),
    worker: options.worker,
    pendingMigrations: async () => (await migrationStatus(pool)).pending
  })
  await createCheckpoints(db, projections)
  t.teardown(async () => {
    await app.close()
    await appender.close()
    await closePool(pool)
    await closePool(steps.pool)
  })
  return {
    url,
    owner,
    db,
    steps: steps.db,
    app,
    appender,
    async post (body, { secret = SECRET, headers = {}, provider: name = providers.first.name } = {}) {
      const bytes = Buffer.isBuffer(body) ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
      const provider = providers.named(name)
      if (provider === undefined) throw new Error(`there is no provider ${name}`)
      return await app.inject({
        method: 'POST',
        url: webhookPath(provider),
        headers: { ...LOOPBACK, 'content-type': 'application/json', ...provider.sign(bytes, secret), ...headers },
        payload: bytes
      })
    },
    get: async (path, headers = {}) => await app.inject({ method: 'GET', url: path, headers: { ...LOOPBACK, ...headers } }),
    async project (batch = 2000) {
      for (let events = 0; ;) {
        const stepped = await runStep(steps.db, projections, { batch, providers })
        if (stepped === undefined) return events
        events += stepped.events
      }
    }
  }
}

/** Every row of every projection table as text, for comparing whole states; how far they are stands elsewhere. */
export async function dumpProjections (pool: pg.Pool, options: { recordedAt?: boolean } = {}): Promise<Record<string, string[]>> {
  const dump: Record<string, string[]> = {}
  const { rows: tables } = await pool.query<{ name: string }>("select relname as name from pg_class where relnamespace = 'projection'::regnamespace and relkind = 'r' and relname <> 'checkpoints' order by 1")
  for (const { name } of tables) {
    const without = options.recordedAt === false ? " - 'recorded_at'" : ''
    const { rows } = await pool.query<{ row: string }>(`select (to_jsonb(t)${without})::text as row from projection.${name} t order by 1`)
    dump[name] = rows.map(({ row }) => row)
  }
  return dump
}

import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import type pg from 'pg'
import type { Config } from '../config.ts'
import { createApp, createHealthApp, type AppLimits } from '../http/app.ts'
import { isLoopbackHost } from '../access/loopback.ts'
import { projections } from '../projections/index.ts'
import { knownProviders } from '../providers/index.ts'
import { describeOutdated, outdatedOf } from '../engine/rebuild/versions.ts'
import { createFreshness, type Freshness } from '../engine/freshness.ts'
import { createAppender, type Appender } from '../log/appender.ts'
import { createCheckpoints, readVersions } from '../engine/checkpoints.sql.ts'
import { closePool, databaseOf, openPool, type DatabaseOptions, type Db } from '../postgres/database.ts'
import { hasKeys } from '../access/api-keys.sql.ts'
import { migrationStatus } from '../postgres/migrations/migrate.ts'
import { createNotifier } from '../log/notify.sql.ts'
import type { Ingest } from '../ingest/store-delivery.ts'
import { shareConnections } from './connections.ts'
import { CommandError } from './errors.ts'
import { requireMigrated, requireShards, type DatabaseHandle } from './open.ts'
import { logsIdleErrors, startLocalWorker, startWorkerThread, type RunningWorker, type ServiceAccess } from './worker.ts'
import { webhookSecrets } from './webhook-secrets.ts'
import { providerApi } from './provider-api.ts'
import { awaitWorkers, budgetOf, loggedFigures, startReconciling } from './reconciling.ts'
import type { Shutdown } from './shutdown.ts'

/** What a service is made of. */
export interface Service {
  database: DatabaseHandle
  config: Config
  /** The part that runs in this process; undefined: all of it. */
  only: 'api' | 'worker' | undefined
  version: string
  log: FastifyBaseLogger
  /** Stops what was started. */
  shutdown: Shutdown
  /** Shows a line to whoever starts the service. */
  progress: (line: string) => void
}

/** A service that runs until its `shutdown`. */
export interface StartedService {
  url: string
  /** Whether there is an API key. */
  hasKeys: boolean
  /** The file of the webhook secret, if one was made because none is configured. */
  secretFile: string | undefined
}

/**
 * Puts the parts together: the API with the way into the log, the worker, or both in one process.
 * @throws CommandError if the database is not ready for this version, or the address cannot be used
 */
export async function startService (service: Service): Promise<StartedService> {
  const { config, only, log, shutdown } = service
  const shares = shareConnections(config.DATABASE_POOL_SIZE, only)
  const pool = openServicePool(service, { poolSize: shares.ingest, name: only ?? 'serve' })
  const db = databaseOf(pool)
  await requireMigrated(pool, line => { log.warn(line) })
  const shards = await requireShards(db)
  await createCheckpoints(db, projections)
  await guardEntrance(service, db)

  const outdated = outdatedOf(projections, await readVersions(db))
  if (outdated.length > 0) service.progress(describeOutdated(outdated))

  const common = { db, pendingMigrations: async () => (await migrationStatus(pool)).pending, logger: log, limits: limitsOf(config) }
  if (only === 'worker') {
    const worker = runWorker(service, shares.steps, () => {})
    await runReconciling(service, { db, shards, appender: undefined }, worker)
    const url = await listen(await createHealthApp({ ...common, worker: worker.health }), config, shutdown)
    return { url, hasKeys: await hasKeys(db), secretFile: undefined }
  }
  const reads = databaseOf(openServicePool(service, { poolSize: shares.reads, name: `${only ?? 'serve'} reads`, settings: readSettings(config) }))
  const freshness = createFreshness(reads, projections)
  const worker = only === 'api' ? undefined : runWorker(service, shares.steps, freshness.moved)
  const ingest = { db, shards, appender: runAppender(service, db, worker) }
  if (only === undefined) await runReconciling(service, ingest, worker)
  const { secrets, file } = await webhookSecrets(config)
  // WEBHOOK_SECRETS is the setting of the first provider; another one brings a setting of its own.
  const app = await createApp({
    ...common, db: reads, ingest, worker: worker?.health, projections, freshness, shards, secrets: { [knownProviders.first.name]: secrets }, version: service.version
  })
  return { url: await listen(app, config, shutdown), hasKeys: await hasKeys(db), secretFile: file }
}

function limitsOf (config: Config): AppLimits {
  return { bodyLimitBytes: config.BODY_LIMIT_BYTES, bodiesLimitBytes: config.BODIES_LIMIT_BYTES, connectionLimit: config.HTTP_CONNECTION_LIMIT }
}

/**
 * PostgreSQL cancels a slow read shortly before the client would give up the connection. So the connection survives,
 * and the answer says what happened.
 */
function readSettings (config: Config): Record<string, string> {
  return { statement_timeout: String(Math.ceil(config.DATABASE_TIMEOUT_MS * 0.9)) }
}

function accessOf ({ database, config }: Service): ServiceAccess {
  return { url: database.url, role: config.DATABASE_ROLE, timeout_ms: config.DATABASE_TIMEOUT_MS }
}

function openServicePool (service: Service, options: Pick<DatabaseOptions, 'poolSize' | 'name' | 'settings'>): pg.Pool {
  const pool = openPool({ ...accessOf(service), ...options, onIdleError: logsIdleErrors(service.log) })
  service.shutdown.onStop('connections', async () => { await closePool(pool) })
  return pool
}

/** Starts the worker; beside the API in a thread of its own. */
function runWorker (service: Service, poolSize: number, moved: Freshness['moved']): RunningWorker {
  const { config, only, log, shutdown } = service
  const settings = { ...accessOf(service), poolSize, batch: config.PROJECTION_BATCH_EVENTS }
  const worker = only === 'worker'
    ? startLocalWorker(settings, { log, onStep: moved })
    : startWorkerThread({ ...settings, logLevel: config.LOG_LEVEL }, moved)
  shutdown.onStop('worker', worker.stop)
  return worker
}

/** Connections for asking the provider: one holds the lock. */
const RECONCILE_POOL = 2

/** Asks the provider every so often, where the settings say so: beside the worker, which projects what is stored. */
async function runReconciling (service: Service, { db, shards, appender }: Omit<Ingest, 'appender'> & { appender: Appender | undefined }, worker: RunningWorker | undefined): Promise<void> {
  const { config, log, shutdown } = service
  if (config.RECONCILE_EVERY_MINUTES === 0) return
  const api = await providerApi(config)
  const own = databaseOf(openServicePool(service, { poolSize: RECONCILE_POOL, name: 'reconcile' }))
  const watching = startReconciling(api, {
    db: own,
    intake: { db: own, shards, appender: appender ?? runAppender(service, db, worker) },
    every_minutes: config.RECONCILE_EVERY_MINUTES,
    budget: budgetOf(config),
    project: async () => await awaitWorkers(own),
    onDone (done) {
      if (done === undefined) log.info('another process reconciles with the provider; this one waits for its next time')
      else log.info(loggedFigures(done), 'reconciled with the provider')
    },
    onFailure: error => { log.warn({ err: error }, 'reconciling with the provider stopped; the next run continues') }
  })
  shutdown.onStop('reconciling', watching.stop)
}

/** Opens the way into the log. After each commit, the workers of this process and of others are notified. */
function runAppender ({ config, shutdown }: Service, db: Db, worker: RunningWorker | undefined): Appender {
  const notify = createNotifier(db)
  const appender = createAppender(db, {
    queueLimit: config.APPEND_QUEUE_LIMIT,
    onStored () {
      worker?.nudge()
      notify()
    }
  })
  shutdown.onStop('appends', appender.close)
  return appender
}

/**
 * Protected mode: without webhook secrets or API keys we serve this machine only.
 * @throws CommandError unprotected
 */
async function guardEntrance ({ config, only }: Service, db: Db): Promise<void> {
  if (isLoopbackHost(config.HOST) || only === 'worker') return
  const missing = [
    ...(config.WEBHOOK_SECRETS.length === 0 ? ['WEBHOOK_SECRETS is unset'] : []),
    ...(await hasKeys(db) ? [] : ['there is no API key (`npx loyalty-ledger keys create NAME`)'])
  ]
  if (missing.length > 0) {
    throw new CommandError('unprotected', `HOST is ${config.HOST}, which others can reach, but ${missing.join(' and ')}. Set what is missing, or HOST=127.0.0.1.`)
  }
}

async function listen (app: FastifyInstance, config: Config, shutdown: Shutdown): Promise<string> {
  shutdown.onStop('requests', async () => { await app.close() })
  try {
    return await app.listen({ host: config.HOST, port: config.PORT })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EADDRINUSE') throw new CommandError('port_in_use', `Port ${config.PORT} on ${config.HOST} is in use. Is a ledger running already? Else choose another: PORT=3001 make run.`, { cause: error })
    if (code === 'EACCES') throw new CommandError('port_forbidden', `Port ${config.PORT} needs rights this user does not have. Choose one above 1023.`, { cause: error })
    if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') throw new CommandError('host_unknown', `HOST=${config.HOST} is no address of this machine.`, { cause: error })
    throw error
  }
}

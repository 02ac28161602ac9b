import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import type pg from 'pg'
import { pino } from 'pino'
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
import { shareConnections } from './connections.ts'
import { CommandError } from './errors.ts'
import { migrate, openDatabase, requireMigrated, requireShards, type DatabaseHandle } from './open.ts'
import type { Output } from './output.ts'
import { logsIdleErrors, startLocalWorker, type RunningWorker, type ServiceAccess } from './worker.ts'
import { startWorkerThread } from './worker-thread.ts'
import { webhookSecrets } from './webhook-secrets.ts'
import { createShutdown, type Shutdown } from './shutdown.ts'

export interface ServeOptions {
  only: 'api' | 'worker' | undefined
  migrate: boolean
  version: string
}

/** `serve`: the API, the worker, or both in one process, until a signal ends it. */
export async function serveCommand (config: Config, output: Output, options: ServeOptions): Promise<void> {
  const log = pino({ level: config.LOG_LEVEL }) as FastifyBaseLogger
  const shutdown = createShutdown(config.SHUTDOWN_TIMEOUT_MS, line => { output.progress(line) })
  try {
    const database = await openDatabase(config, line => { output.progress(line) })
    shutdown.onStop('database', database.close)
    if (options.migrate || database.embedded) await migrate(database, config, line => { log.debug(line) })
    await start({ database, config, options, log, shutdown, output })
  } catch (error) {
    await shutdown.stop()
    throw error
  }
  await shutdown.stopped
}

/** What a service is made of. */
interface Service { database: DatabaseHandle, config: Config, options: ServeOptions, log: FastifyBaseLogger, shutdown: Shutdown, output: Output }

async function start (service: Service): Promise<void> {
  const { config, options, log, shutdown, output } = service
  const shares = shareConnections(config.DATABASE_POOL_SIZE, options.only)
  const pool = openServicePool(service, { poolSize: shares.ingest, name: options.only ?? 'serve' })
  const db = databaseOf(pool)
  await requireMigrated(pool, line => { log.warn(line) })
  const shards = await requireShards(db)
  await createCheckpoints(db, projections)
  await guardEntrance(config, options, db)

  const outdated = outdatedOf(projections, await readVersions(db))
  if (outdated.length > 0) output.progress(describeOutdated(outdated))

  const common = { db, pendingMigrations: async () => (await migrationStatus(pool)).pending, logger: log, limits: limitsOf(config) }
  if (options.only === 'worker') {
    const worker = runWorker(service, shares.steps, () => {})
    const url = await listen(await createHealthApp({ ...common, worker: worker.health }), config, shutdown)
    output.progress(`The worker of loyalty ledger ${options.version} runs; ${url}/readyz says whether it is ready.`)
    return
  }
  const reads = databaseOf(openServicePool(service, { poolSize: shares.reads, name: `${options.only ?? 'serve'} reads`, settings: readSettings(config) }))
  const freshness = createFreshness(reads, projections)
  const worker = options.only === 'api' ? undefined : runWorker(service, shares.steps, freshness.moved)
  const ingest = { db, shards, appender: runAppender(service, db, worker) }
  const { secrets, file } = await webhookSecrets(config)
  // WEBHOOK_SECRETS is the setting of the first provider; another one brings a setting of its own.
  const app = await createApp({
    ...common, db: reads, ingest, worker: worker?.health, projections, freshness, shards, secrets: { [knownProviders.first.name]: secrets }, version: options.version
  })
  const url = await listen(app, config, shutdown)
  output.progress(welcome(url, service, file, await hasKeys(db)))
}

function limitsOf (config: Config): AppLimits {
  return { bodyLimitBytes: config.BODY_LIMIT_BYTES, bodiesLimitBytes: config.BODIES_LIMIT_BYTES, connectionLimit: config.HTTP_CONNECTION_LIMIT }
}

/**
 * The server ends a read a little before the connection would be given up: the connection stays, and the read is
 * answered with what happened.
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
  const { config, options, log, shutdown } = service
  const settings = { ...accessOf(service), poolSize, batch: config.PROJECTION_BATCH_EVENTS }
  const worker = options.only === 'worker'
    ? startLocalWorker(settings, { log, onStep: moved })
    : startWorkerThread({ ...settings, logLevel: config.LOG_LEVEL }, moved)
  shutdown.onStop('worker', worker.stop)
  return worker
}

/** The way into the log. Workers in this process and in others are notified of what is stored. */
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
async function guardEntrance (config: Config, options: ServeOptions, db: Db): Promise<void> {
  if (isLoopbackHost(config.HOST) || options.only === 'worker') return
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

function welcome (url: string, { config, options, database }: Service, secretFile: string | undefined, keys: boolean): string {
  const lines = [
    `Loyalty ledger ${options.version} is ready on ${url}`,
    '',
    `  ${config.PORT === 3000 ? '' : `PORT=${new URL(url).port} `}make demo                       posts two real webhooks, in another terminal, and reads what came of them`,
    `  ${url}/docs      every route, to read and to try`,
    ...(database.embedded ? [`  psql "$(cat ${config.DATA_DIR}/database.url)"   the same in SQL: schema reporting`] : []),
    ''
  ]
  if (secretFile !== undefined) lines.push(`WEBHOOK_SECRETS is unset: sign with the secret in ${secretFile}, made for this machine.`)
  if (!keys) lines.push('Protected mode: there is no API key yet, so reads are open to this machine and closed to all others.')
  if (options.only === 'api') lines.push('Nothing is projected here: run `npx loyalty-ledger serve --only worker` beside it.')
  return lines.join('\n')
}

import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import type pg from 'pg'
import { pino } from 'pino'
import type { Config } from '../config.ts'
import { createApp, createHealthApp } from '../http/app.ts'
import { isLoopbackHost } from '../access/loopback.ts'
import { projections } from '../projections/index.ts'
import { knownProviders } from '../providers/index.ts'
import { describeOutdated, outdatedOf } from '../engine/rebuild/versions.ts'
import { createFreshness, type Freshness } from '../engine/freshness.ts'
import { createAppender, type Appender } from '../log/appender.ts'
import { createCheckpoints, readVersions } from '../engine/checkpoints.sql.ts'
import { closePool, databaseOf, openPool, type Db } from '../postgres/database.ts'
import { hasKeys } from '../access/api-keys.sql.ts'
import { migrationStatus } from '../postgres/migrations/migrate.ts'
import { createNotifier } from '../log/notify.sql.ts'
import { countShards } from '../log/shards.sql.ts'
import { CommandError } from './errors.ts'
import { migrate, openPlace, requireMigrated, type Place } from './open.ts'
import type { Output } from './output.ts'
import { logsIdleErrors, startLocalWorker, type Access, type RunningWorker } from './worker.ts'
import { startWorkerThread } from './worker-thread.ts'
import { webhookSecrets } from './webhook-secrets.ts'
import { createShutdown, type Shutdown } from './shutdown.ts'

export interface ServeOptions {
  only: 'api' | 'worker' | undefined
  migrate: boolean
  version: string
}

/** Of the worker's own: for two steps at once, and a redrive beside them. With fewer than twice as many in all it shares the API's. */
const STEPS_POOL = 3

/** `serve`: the API, the worker, or both in one process, until a signal ends it. */
export async function serveCommand (config: Config, output: Output, options: ServeOptions): Promise<void> {
  const log = pino({ level: config.LOG_LEVEL }) as FastifyBaseLogger
  const shutdown = createShutdown(config.SHUTDOWN_TIMEOUT_MS, line => { output.progress(line) })
  try {
    const place = await openPlace(config, line => { output.progress(line) })
    shutdown.onStop('database', place.release)
    if (options.migrate || place.embedded) await migrate(place, config, line => { log.debug(line) })
    await start({ place, config, options, log, shutdown, output })
  } catch (error) {
    await shutdown.stop()
    throw error
  }
  await shutdown.stopped
}

/** What a service is made of. */
interface Service { place: Place, config: Config, options: ServeOptions, log: FastifyBaseLogger, shutdown: Shutdown, output: Output }

async function start (service: Service): Promise<void> {
  const { config, options, log, shutdown, output } = service
  const forSteps = options.only === 'api' || config.DATABASE_POOL_SIZE < 2 * STEPS_POOL ? 0 : STEPS_POOL
  const pool = openOwnPool(service, config.DATABASE_POOL_SIZE - forSteps)
  const db = databaseOf(pool)
  await requireMigrated(pool, line => { log.warn(line) })
  const shards = await countShards(db)
  if (shards === 0) throw new CommandError('shards_missing', 'The database has no shards yet. Run `npx loyalty-ledger migrate up`, or serve with --migrate.')
  await createCheckpoints(db, projections)
  await guardEntrance(config, options, db)

  const outdated = outdatedOf(projections, await readVersions(db))
  if (outdated.length > 0) output.progress(describeOutdated(outdated))

  const freshness = createFreshness(db, projections)
  const worker = options.only === 'api' ? undefined : project(service, forSteps, db, freshness)
  const pendingMigrations = async (): Promise<string[]> => (await migrationStatus(pool)).pending
  const health = { db, pendingMigrations, worker: worker?.health, logger: log, bodyLimitBytes: config.BODY_LIMIT_BYTES }
  if (options.only === 'worker') {
    const url = await listen(await createHealthApp(health), config, shutdown)
    output.progress(`The worker of loyalty ledger ${options.version} runs; ${url}/readyz tells how it is.`)
    return
  }
  const appender = runAppender(service, db, worker)
  const { secrets, file } = await webhookSecrets(config)
  // WEBHOOK_SECRETS is the setting of the first provider; another one brings a setting of its own.
  const app = await createApp({ ...health, projections, freshness, shards, appender, secrets: { [knownProviders.first.name]: secrets }, version: options.version })
  const url = await listen(app, config, shutdown)
  output.progress(welcome(url, service, file, await hasKeys(db)))
}

function accessOf ({ place, config }: Service): Access {
  return { url: place.url, role: config.DATABASE_ROLE, timeout_ms: config.DATABASE_TIMEOUT_MS }
}

function openOwnPool (service: Service, poolSize: number): pg.Pool {
  const { options, log, shutdown } = service
  const pool = openPool({ ...accessOf(service), poolSize, name: options.only ?? 'serve', onIdleError: logsIdleErrors(log) })
  shutdown.onStop('connections', async () => { await closePool(pool) })
  return pool
}

/** Starts the worker: with connections of its own where there are some, and beside the API in a thread of its own then. */
function project (service: Service, poolSize: number, db: Db, { moved }: Freshness): RunningWorker {
  const { config, options, log, shutdown } = service
  const settings = { ...accessOf(service), poolSize, batch: config.PROJECTION_BATCH_EVENTS }
  const worker = options.only === undefined && poolSize > 0
    ? startWorkerThread({ ...settings, logLevel: config.LOG_LEVEL }, moved)
    : startLocalWorker(settings, { log, onStep: moved, ...(poolSize > 0 ? {} : { shared: db }) })
  shutdown.onStop('worker', worker.stop)
  return worker
}

/** The way into the log: who projects is told of what is stored, in this process and in others. */
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

function welcome (url: string, { config, options, place }: Service, secretFile: string | undefined, keys: boolean): string {
  const lines = [
    `Loyalty ledger ${options.version} is ready on ${url}`,
    '',
    `  ${config.PORT === 3000 ? '' : `PORT=${new URL(url).port} `}make demo                       posts two real webhooks, in another terminal, and reads what came of them`,
    `  ${url}/docs      every route, to read and to try`,
    ...(place.embedded ? [`  psql "$(cat ${config.DATA_DIR}/database.url)"   the same in SQL: schema reporting`] : []),
    ''
  ]
  if (secretFile !== undefined) lines.push(`WEBHOOK_SECRETS is unset: sign with the secret in ${secretFile}, made for this machine.`)
  if (!keys) lines.push('Protected mode: there is no API key yet, so reads are open to this machine and closed to all others.')
  if (options.only === 'api') lines.push('Nothing is projected here: run `npx loyalty-ledger serve --only worker` beside it.')
  return lines.join('\n')
}

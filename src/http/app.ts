import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance, type FastifyServerOptions } from 'fastify'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { Ingest } from '../ingest/store-delivery.ts'
import type { Db } from '../postgres/database.ts'
import type { Providers } from '../providers/index.ts'
import { limitBodies } from './body-budget.ts'
import type { ReadOptions } from './read-query.ts'
import auth from './plugins/auth.ts'
import openapi, { needsKey } from './plugins/openapi.ts'
import problems, { refuseMalformed, send, toProblem } from './plugins/problems.ts'
import { countRefusals, type Refused } from './refusals.ts'
import { cardRoutes } from './routes/cards.ts'
import { customerRoutes } from './routes/customers.ts'
import { eventRoutes } from './routes/events.ts'
import { healthRoutes, type HealthOptions } from './routes/health.ts'
import { orderRoutes } from './routes/orders.ts'
import { quarantineRoutes } from './routes/quarantine.ts'
import { reconciliationRoutes } from './routes/reconciliations.ts'
import { statusRoutes } from './routes/status.ts'
import { webhookRoutes, type WebhookSecrets } from './routes/webhooks.ts'
import { ProblemSchema } from './schemas/common.ts'

/** How much of other people's doing the server holds at once. */
export interface AppLimits {
  /** Of one body. */
  bodyLimitBytes: number
  /** Of all large bodies that are being received (`limitBodies`). */
  bodiesLimitBytes: number
  /** Connections of clients; more are closed as they come. */
  connectionLimit: number
}

type SchemaCompilers = NonNullable<NonNullable<FastifyServerOptions['schemaController']>['compilersFactory']>

interface BaseOptions {
  logger: FastifyBaseLogger
  limits: AppLimits
  /** Compile the schemas of requests and answers; absent: Fastify's own, anew for each app. */
  compilers?: SchemaCompilers
}

export interface AppOptions extends BaseOptions, HealthOptions, ReadOptions {
  /** For reads and operators. */
  db: Db
  /** For deliveries and probes, with connections of its own: reads that wait must not hold these up. */
  ingest: Ingest
  /** By the names of providers. */
  secrets: WebhookSecrets
  /** Who posts; absent: all known providers. */
  providers?: Providers
  version: string
}

/** The whole HTTP side as one app that never listens by itself. The functions below are its scopes. */
export async function createApp (options: AppOptions): Promise<FastifyInstance> {
  const app = createBase(options)
  app.addHook('preClose', async () => { options.freshness.close() })
  await app.register(openapi, options)
  await app.register(auth, options)
  await app.register(healthRoutes, { ...options, db: options.ingest.db })
  let refused = (): Refused[] => []
  await app.register(async function deliveries (scope) {
    refused = countRefusals(scope)
    limitBodies(scope, options.limits)
    await scope.register(webhookRoutes, { ...options.ingest, secrets: options.secrets, providers: options.providers })
  })
  await app.register(async function readers (scope) {
    scope.addHook('onRequest', scope.requireScope('read'))
    scope.addHook('onRoute', needsKey)
    await scope.register(customerRoutes, options)
    await scope.register(orderRoutes, options)
    await scope.register(cardRoutes, options)
  })
  await app.register(async function operators (scope) {
    scope.addHook('onRequest', scope.requireScope('operate'))
    scope.addHook('onRoute', needsKey)
    await scope.register(eventRoutes, options)
    await scope.register(quarantineRoutes, { ...options.ingest, db: options.db, providers: options.providers })
    await scope.register(statusRoutes, { ...options, refused })
    await scope.register(reconciliationRoutes, options)
  })
  return app
}

/** The app of a worker process: only its health. */
export async function createHealthApp (options: HealthOptions & BaseOptions): Promise<FastifyInstance> {
  const app = createBase(options)
  await app.register(healthRoutes, options)
  return app
}

function createBase ({ logger, limits, compilers = {} }: BaseOptions): FastifyInstance {
  const app = Fastify({
    loggerInstance: logger,
    schemaController: { compilersFactory: compilers },
    bodyLimit: limits.bodyLimitBytes,
    logController: new LogController({ disableRequestLogging: true }),
    // Keep-alive longer than a load balancer's usual 60 s, so that it is never us who closes under a request.
    keepAliveTimeout: 72_000,
    // Who sends slowly occupies a connection and, with a body, memory. Node looks every connectionsCheckingInterval
    // only.
    requestTimeout: REQUEST_TIMEOUT_MS,
    http: { headersTimeout: REQUEST_TIMEOUT_MS, connectionsCheckingInterval: 5000 },
    // A request that comes in on an open connection while we stop is still served.
    return503OnClosing: false,
    routerOptions: { maxParamLength: 2048 },
    // Queries and paths are text: they are coerced. Nothing is dropped in silence: an unknown parameter is an error.
    ajv: { customOptions: { coerceTypes: true, useDefaults: true, removeAdditional: false } },
    clientErrorHandler: refuseMalformed,
    frameworkErrors (error, request, reply) { void send(toProblem(error), error, request, reply) }
  }).withTypeProvider<TypeBoxTypeProvider>()
  app.server.maxConnections = limits.connectionLimit
  app.addSchema(ProblemSchema)
  app.register(problems)
  closeConnectionsAsTheyFallIdle(app)
  return app
}

/** The provider gives up after 10 s. */
const REQUEST_TIMEOUT_MS = 20_000

/**
 * A stop closes the connections that are idle at that moment. One that is busy then would be kept alive after its
 * answer and delay the stop until its time-out.
 */
function closeConnectionsAsTheyFallIdle (app: FastifyInstance): void {
  app.addHook('preClose', async () => {
    if (!app.server.listening) return
    const sweep = setInterval(() => { app.server.closeIdleConnections() }, 50).unref()
    app.server.once('close', () => { clearInterval(sweep) })
  })
}

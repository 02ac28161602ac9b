import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { Appender } from '../log/appender.ts'
import type { Providers } from '../providers/registry.ts'
import type { ReadOptions } from './read-options.ts'
import entry from './plugins/auth.ts'
import openapi, { needsKey } from './plugins/openapi.ts'
import problems, { refuseMalformed, send, toProblem } from './plugins/problems.ts'
import { cards } from './routes/cards.ts'
import { customers } from './routes/customers.ts'
import { events } from './routes/events.ts'
import { health, type HealthOptions } from './routes/health.ts'
import { orders } from './routes/orders.ts'
import { quarantine } from './routes/quarantine.ts'
import { status } from './routes/status.ts'
import { webhooks, type WebhookSecrets } from './routes/webhooks.ts'
import { ProblemSchema } from './schemas/common.ts'

export interface AppOptions extends HealthOptions, ReadOptions {
  appender: Appender
  /** By the names of providers. */
  secrets: WebhookSecrets
  /** Who posts; absent: all providers that there are. */
  providers?: Providers
  bodyLimitBytes: number
  version: string
  logger: FastifyBaseLogger
}

/** The whole HTTP side as one app that never listens by itself. Scopes are the functions below, in the open. */
export async function createApp (options: AppOptions): Promise<FastifyInstance> {
  const app = createBase(options)
  app.addHook('preClose', async () => { options.freshness.close() })
  await app.register(openapi, options)
  await app.register(entry, options)
  await app.register(health, options)
  await app.register(webhooks, options)
  await app.register(async function readers (scope) {
    scope.addHook('onRequest', scope.requireScope('read'))
    scope.addHook('onRoute', needsKey)
    await scope.register(customers, options)
    await scope.register(orders, options)
    await scope.register(cards, options)
  })
  await app.register(async function operators (scope) {
    scope.addHook('onRequest', scope.requireScope('operate'))
    scope.addHook('onRoute', needsKey)
    await scope.register(events, options)
    await scope.register(quarantine, options)
    await scope.register(status, options)
  })
  return app
}

/** What a worker of its own shows: whether it is well. */
export async function createHealthApp (options: HealthOptions & Pick<AppOptions, 'logger' | 'bodyLimitBytes'>): Promise<FastifyInstance> {
  const app = createBase(options)
  await app.register(health, options)
  return app
}

function createBase ({ logger, bodyLimitBytes }: Pick<AppOptions, 'logger' | 'bodyLimitBytes'>): FastifyInstance {
  const app = Fastify({
    loggerInstance: logger,
    bodyLimit: bodyLimitBytes,
    logController: new LogController({ disableRequestLogging: true }),
    // Keep-alive longer than a load balancer's usual 60 s, so that it is never us who closes under a request.
    keepAliveTimeout: 72_000,
    requestTimeout: 30_000,
    // A request that comes in on an open connection while we stop is still served.
    return503OnClosing: false,
    routerOptions: { maxParamLength: 2048 },
    // Queries and paths are text: they are coerced. Nothing is dropped in silence: an unknown parameter is an error.
    ajv: { customOptions: { coerceTypes: true, useDefaults: true, removeAdditional: false } },
    clientErrorHandler: refuseMalformed,
    frameworkErrors (error, request, reply) { void send(toProblem(error), error, request, reply) }
  }).withTypeProvider<TypeBoxTypeProvider>()
  app.addSchema(ProblemSchema)
  app.register(problems)
  closeConnectionsAsTheyFallIdle(app)
  return app
}

/**
 * A stop closes the connections that are idle at that moment. One that is busy then would be kept alive after its answer,
 * and hold up the stop until its time-out.
 */
function closeConnectionsAsTheyFallIdle (app: FastifyInstance): void {
  app.addHook('preClose', async () => {
    if (!app.server.listening) return
    const sweep = setInterval(() => { app.server.closeIdleConnections() }, 50).unref()
    app.server.once('close', () => { clearInterval(sweep) })
  })
}

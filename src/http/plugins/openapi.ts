import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import { knownProviders, type Providers } from '../../providers/index.ts'
import { webhookPath, type Provider } from '../../providers/provider.ts'

/** OpenAPI 3.1 made from the routes' own schemas, and a page that shows it without the internet. */
export default fp<{ version: string, providers?: Providers }>(async function openapi (app, { version, providers = knownProviders }) {
  const titles = providers.all.map(({ webhook }) => webhook.title).join(' and ')
  const senders = new Map(providers.all.map(provider => [webhookPath(provider), provider]))
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Loyalty ledger',
        version,
        description: `The merchant's own record of loyalty points and orders, kept from webhooks of ${titles}. Times are UTC with microseconds; points and amounts are integers; lists page by cursor; errors are RFC 9457 problems with a stable code.`
      },
      tags: [
        { name: 'webhooks', description: `Deliveries from ${titles}` },
        { name: 'customers', description: 'Customers, their balances and statements' },
        { name: 'orders', description: 'Orders and their states' },
        { name: 'cards', description: 'Cards and statements' },
        { name: 'events', description: 'The log, for operators' },
        { name: 'quarantine', description: 'Inspect, retry or discard deliveries that could not be processed' },
        { name: 'status', description: 'The state of the ledger' },
        { name: 'health', description: 'For orchestrators' }
      ],
      components: { securitySchemes: { key: { type: 'http', scheme: 'bearer', description: 'An API key of `npx loyalty-ledger keys create`. Not needed on loopback while no key exists.' } } }
    },
    transform ({ schema, url }) {
      const sender = senders.get(url)
      return { schema: sender === undefined ? schema : { ...schema, consumes: ['application/json'], body: bodyOf(sender) }, url }
    },
    transformObject: document => 'openapiObject' in document ? inWordsOf31(document.openapiObject) : document.swaggerObject,
    refResolver: { buildLocalReference: (json, _baseUri, _fragment, index) => typeof json.$id === 'string' ? json.$id : `schema-${index}` }
  })
  await app.register(swaggerUi, { routePrefix: '/docs', staticCSP: CONTENT_SECURITY, uiConfig: { docExpansion: 'list', deepLinking: true } })
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger())
}, { name: 'openapi' })

/** An onRoute hook that documents routes as needing an API key. */
export function needsKey (route: RouteOptions): void {
  route.schema = { ...route.schema, security: [{ key: [] }] }
}

// Documented, never validated: the route receives the bytes as they are.
function bodyOf ({ webhook: { title, body } }: Provider) {
  return { type: 'object', additionalProperties: true, description: `A delivery of ${title}. ${body}` }
}

// All content is from this server. The plugin's own policy would send browsers to https on hosts that have none.
const CONTENT_SECURITY = "default-src 'self'; base-uri 'self'; frame-ancestors 'self'; img-src 'self' data:; object-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'"

/**
 * Translates the routes' schemas to OpenAPI 3.1: `nullable: true` is a type of its own there, and a parameter with a
 * default need not be sent.
 */
function inWordsOf31<T> (value: T): T {
  if (Array.isArray(value)) return value.map(inWordsOf31) as T
  if (typeof value !== 'object' || value === null) return value
  const { nullable, ...schema } = value as Record<string, unknown>
  if (nullable === true && typeof schema.type === 'string') schema.type = [schema.type, 'null']
  if (schema.in === 'query' && (schema.schema as { default?: unknown } | undefined)?.default !== undefined) schema.required = false
  return Object.fromEntries(Object.entries(schema).map(([key, part]) => [key, inWordsOf31(part)])) as T
}

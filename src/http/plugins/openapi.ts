import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import fp from 'fastify-plugin'

/** OpenAPI 3.1 made from the routes' own schemas, and a page that shows it without the internet. */
export default fp<{ version: string }>(async function openapi (app, { version }) {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Loyalty ledger',
        version,
        description: 'The merchant\'s own record of loyalty points and orders, kept from Voucherify webhooks. Times are UTC with microseconds; points and amounts are integers; lists page by cursor; errors are RFC 9457 problems with a stable code.'
      },
      tags: [
        { name: 'webhooks', description: 'What Voucherify posts' },
        { name: 'customers', description: 'Who, how much, and why' },
        { name: 'orders', description: 'Orders and their states' },
        { name: 'cards', description: 'Cards and statements' },
        { name: 'events', description: 'The log, for operators' },
        { name: 'health', description: 'For orchestrators' }
      ],
      components: { securitySchemes: { key: { type: 'http', scheme: 'bearer', description: 'An API key of `loyalty-ledger keys create`. Not needed on loopback while no key exists.' } } }
    },
    transformObject: document => 'openapiObject' in document ? nullableAsType(document.openapiObject) : document.swaggerObject,
    refResolver: { buildLocalReference: (json, _baseUri, _fragment, index) => typeof json.$id === 'string' ? json.$id : `schema-${index}` }
  })
  await app.register(swaggerUi, { routePrefix: '/docs', staticCSP: true, uiConfig: { docExpansion: 'list', deepLinking: true } })
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger())
}, { name: 'openapi' })

/** Writes `nullable: true`, of which OpenAPI 3.1 knows nothing, as a type of its own. */
function nullableAsType<T> (value: T): T {
  if (Array.isArray(value)) return value.map(nullableAsType) as T
  if (typeof value !== 'object' || value === null) return value
  const { nullable, ...rest } = value as Record<string, unknown>
  const schema = nullable === true && typeof rest.type === 'string' ? { ...rest, type: [rest.type, 'null'] } : value
  return Object.fromEntries(Object.entries(schema).map(([key, part]) => [key, nullableAsType(part)])) as T
}

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import { providersOf, type Ingest } from '../../ingest/store-delivery.ts'
import { receiveDelivery } from '../../ingest/receive.ts'
import { webhookPath, type Provider } from '../../providers/provider.ts'
import { AppendRefused } from '../../log/appender.ts'
import { Problem } from '../problem.ts'
import { problems } from '../schemas/common.ts'
import { Accepted, Duplicate, Quarantined } from '../schemas/webhook.ts'

export interface WebhookOptions extends Ingest {
  /** Webhook secrets in force, newest first, by the name of the provider that signs with them. */
  secrets: WebhookSecrets
}

/** By the names of providers. One without secrets has nothing verified, and so nothing accepted. */
export type WebhookSecrets = Readonly<Record<string, readonly string[]>>

/**
 * One route a provider: bytes, signature, identity, append. The answer is sent after the commit and before any
 * projection. Whatever is authentic gets a 2xx: a lasting refusal would make the provider disable the whole feed.
 */
export const webhookRoutes: FastifyPluginAsyncTypebox<WebhookOptions> = async (app, options) => {
  // The signature and the evidence are over the bytes: nothing may parse them on the way.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => { done(null, body) })

  app.addHook('onRequest', refuseEncoded)
  for (const provider of providersOf(options).all) {
    const secrets = options.secrets[provider.name] ?? []
    app.post(webhookPath(provider), { schema: schemaOf(provider) }, async (request, reply) => {
      const body = request.body as Buffer | undefined ?? Buffer.alloc(0)
      authenticate(body, request.headers, provider, secrets)
      const received = await receiveDelivery(body, request.headers, options, provider).catch(notStored)
      return reply.code(received.status === 'duplicate' ? 200 : 202).send(received)
    })
    app.post(`${webhookPath(provider)}/`, { schema: { hide: true } }, async () => {
      throw new Problem(404, 'trailing_slash', `There is nothing at this path, only without the slash at its end: send to ${webhookPath(provider)}.`)
    })
  }
}

function schemaOf ({ name, webhook }: Provider) {
  const headers = webhook.signature_headers.join(' and ')
  return {
    operationId: `receiveDelivery_${name}`,
    summary: `Receive a delivery from ${webhook.title}`,
    description: `Signed in ${headers}: ${webhook.signature}. Safe to repeat: an event is stored once, for ever.`,
    tags: ['webhooks'],
    headers: Type.Object(Object.fromEntries(webhook.signature_headers.map(header => [header, Type.Optional(Type.String())]))),
    response: {
      200: Duplicate,
      202: Type.Union([Accepted, Quarantined]),
      ...problems(400, 401, 413, 415, 503)
    }
  }
}

/**
 * The signature is over the bytes as they are sent: whatever unpacked them on the way would have to be believed.
 * @throws Problem 415
 */
async function refuseEncoded ({ headers }: { headers: Record<string, unknown> }): Promise<void> {
  const encoding = headers['content-encoding'] ?? 'identity'
  if (encoding === 'identity') return
  throw new Problem(415, 'content_encoding_unsupported', 'The body is compressed, or otherwise encoded. Send it as it was signed, without content-encoding; a proxy in between may have added it.', { headers: { 'accept-encoding': 'identity' } })
}

const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf])

/**
 * @throws Problem 400 for a byte order mark before what was signed; 401; 503 when no secret is configured: a missing
 *   secret never means "accept"
 */
function authenticate (body: Buffer, headers: Record<string, unknown>, provider: Provider, secrets: readonly string[]): void {
  const { title, signature, signature_headers } = provider.webhook
  if (secrets.length === 0) {
    throw new Problem(503, 'webhook_secret_missing', `No webhook secret of ${title} is configured, so nothing can be verified. Set WEBHOOK_SECRETS.`, { headers: { 'retry-after': '60' } })
  }
  switch (provider.authenticate(body, headers, secrets)) {
    case 'authentic': return
    case 'signature_missing': throw new Problem(401, 'signature_missing', `Send the signature in ${signature_headers.join(' and ')}: ${signature}.`)
    case 'signature_invalid':
      if (body.subarray(0, 3).equals(BYTE_ORDER_MARK) && provider.authenticate(body.subarray(3), headers, secrets) === 'authentic') {
        throw new Problem(400, 'byte_order_mark', 'A byte order mark (EF BB BF) stands before the body that was signed, and JSON begins with none. Send the bytes as they were signed: something on the way added it.')
      }
      throw new Problem(401, 'signature_invalid', `The signature is not that of this body under any webhook secret of ${title} in force. Was the body changed on the way, or the secret rotated?`)
  }
}

/** @throws Problem 503: nothing was acknowledged, and the sender sends it again */
export function notStored (error: unknown): never {
  if (!(error instanceof AppendRefused)) throw error
  const retry = { 'retry-after': error.code === 'queue_full' ? '1' : '5' }
  const code = error.code === 'queue_full' ? 'queue_full' : error.code === 'busy' ? 'connections_exhausted' : 'not_stored'
  throw new Problem(503, code, `The delivery was not stored: ${error.message}. Send it again.`, { cause: error, headers: retry })
}

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import type { Ingest } from '../../ingest/store-delivery.ts'
import { receiveDelivery } from '../../ingest/receive.ts'
import { isAuthentic, SIGNATURE_HEADER } from '../../providers/voucherify/wire/signature.ts'
import { AppendRefused } from '../../log/appender.ts'
import { Problem } from '../problem.ts'
import { problems } from '../schemas/common.ts'
import { Accepted, Duplicate, Quarantined } from '../schemas/webhook.ts'

export interface WebhookOptions extends Ingest {
  secrets: readonly string[]
}

/**
 * Where deliveries come in: bytes, signature, identity, append. The answer is sent after the commit and before any
 * projection. Whatever is authentic gets a 2xx: a lasting refusal would make the provider disable the whole feed.
 */
export const webhooks: FastifyPluginAsyncTypebox<WebhookOptions> = async (app, options) => {
  // The signature and the evidence are over the bytes: nothing may parse them on the way.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => { done(null, body) })

  app.post('/webhooks/voucherify', {
    schema: {
      operationId: 'receiveDelivery',
      summary: 'Receive a delivery from Voucherify',
      description: 'Signed with the project\'s webhook secret in x-voucherify-signature. Safe to repeat: an event is stored once, for ever.',
      tags: ['webhooks'],
      headers: Type.Object({ [SIGNATURE_HEADER]: Type.Optional(Type.String({ description: 'Hex HMAC-SHA256 of the body' })) }),
      response: {
        200: Duplicate,
        202: Type.Union([Accepted, Quarantined]),
        ...problems(400, 401, 413, 415, 503)
      }
    }
  }, async (request, reply) => {
    const body = request.body as Buffer | undefined ?? Buffer.alloc(0)
    const signature = request.headers[SIGNATURE_HEADER]
    authenticate(body, typeof signature === 'string' ? signature : undefined, options.secrets)
    const taken = await receiveDelivery(body, request.headers, options).catch(notStored)
    if (taken.status === 'duplicate') return reply.code(200).send(taken)
    return reply.code(202).send(taken)
  })
}

/** @throws Problem 401, or 503 when no secret is configured: a missing secret never means "accept" */
function authenticate (body: Buffer, signature: string | undefined, secrets: readonly string[]): void {
  if (secrets.length === 0) {
    throw new Problem(503, 'webhook_secret_missing', 'No webhook secret is configured, so nothing can be verified. Set WEBHOOK_SECRETS.', { headers: { 'retry-after': '60' } })
  }
  if (signature === undefined) {
    throw new Problem(401, 'signature_missing', `Send the signature in ${SIGNATURE_HEADER}: the hex HMAC-SHA256 of the body under the webhook secret.`)
  }
  if (!isAuthentic(body, signature, secrets)) {
    throw new Problem(401, 'signature_invalid', 'The signature is not that of this body under any secret of WEBHOOK_SECRETS. Was the body changed on the way, or the secret rotated?')
  }
}

/** @throws Problem 503: nothing was acknowledged, and whoever sent it sends it again */
export function notStored (error: unknown): never {
  if (!(error instanceof AppendRefused)) throw error
  const retry = { 'retry-after': error.code === 'queue_full' ? '1' : '5' }
  const code = error.code === 'queue_full' ? 'queue_full' : error.code === 'busy' ? 'connections_exhausted' : 'not_stored'
  throw new Problem(503, code, `The delivery was not stored: ${error.message}. Send it again.`, { cause: error, headers: retry })
}

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type, type Static } from '@sinclair/typebox'
import { identify, type IdentifiedDelivery } from '../../provider/voucherify/delivery.ts'
import { isAuthentic, SIGNATURE_HEADER } from '../../provider/voucherify/signature.ts'
import { AppendRefused, type Appender } from '../../store/appender.ts'
import type { Appended } from '../../store/append.ts'
import type { Db } from '../../store/database.ts'
import { findBody } from '../../store/events.ts'
import { quarantine } from '../../store/quarantine.ts'
import { shardOf } from '../../store/shards.ts'
import { Problem } from '../problem.ts'
import { problems } from '../schemas/common.ts'
import { Accepted, Duplicate, Quarantined } from '../schemas/webhook.ts'

export interface WebhookOptions {
  db: Db
  appender: Appender
  shards: number
  secrets: readonly string[]
}

type Answer = [code: 200, body: Static<typeof Duplicate>] | [code: 202, body: Static<typeof Accepted> | Static<typeof Quarantined>]

const QUARANTINED_HEADERS = ['content-type', 'user-agent', SIGNATURE_HEADER]

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
    const [code, answer] = await take(body, request.headers, options)
    return reply.code(code as 202).send(answer as Static<typeof Accepted>)
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

async function take (body: Buffer, headers: Record<string, unknown>, options: WebhookOptions): Promise<Answer> {
  const identified = identifySafely(body)
  if ('reason' in identified) return await setAside(options.db, body, headers, identified)
  try {
    const appended = await options.appender.append({ ...identified, shard: shardOf(identified.shard_key, options.shards) })
    return await answer(identified, appended, body, headers, options.db)
  } catch (error) {
    if (!(error instanceof AppendRefused)) throw error
    if (error.code === 'unstorable') return await setAside(options.db, body, headers, { reason: 'unstorable', detail: error.message })
    throw notStored(error)
  }
}

/** A defect in our reading must not lose an authentic delivery: it waits in quarantine for the mend. */
function identifySafely (body: Buffer): IdentifiedDelivery | { reason: string, detail: string } {
  try {
    return identify(body)
  } catch (error) {
    return { reason: 'defect', detail: `reading the delivery failed: ${(error as Error).message}` }
  }
}

async function answer (identified: IdentifiedDelivery, appended: Appended, body: Buffer, headers: Record<string, unknown>, db: Db): Promise<Answer> {
  const { event_id, subject } = identified
  const position = `${appended.shard}:${appended.position}`
  switch (appended.outcome) {
    case 'accepted': return [202, { status: 'accepted', event_id, subject, position }]
    case 'duplicate': return [200, { status: 'duplicate', event_id, subject, position }]
    case 'conflict':
      if (await stillAgrees(identified, db)) return [200, { status: 'duplicate', event_id, subject, position }]
      return await setAside(db, body, headers, {
        reason: 'conflict',
        detail: `event ${event_id} about ${subject} is stored at ${position} with other facts; the stored one stands until a person decides`,
        event_id,
        subject
      })
  }
}

/**
 * The stored digest may stem from an older version, which read fewer facts. What counts is what the stored body tells to
 * this one: else the resend of an old event would be a conflict.
 */
async function stillAgrees (identified: IdentifiedDelivery, db: Db): Promise<boolean> {
  const stored = await findBody(db, identified.event_id, identified.subject)
  if (stored === undefined) return false
  const read = identifySafely(Buffer.from(stored))
  return 'fact_digest' in read && read.fact_digest === identified.fact_digest
}

async function setAside (
  db: Db, body: Buffer, headers: Record<string, unknown>, why: { reason: string, detail: string, event_id?: string, subject?: string }
): Promise<Answer> {
  const kept = Object.fromEntries(QUARANTINED_HEADERS.flatMap(name => typeof headers[name] === 'string' ? [[name, headers[name]]] : []))
  const quarantine_id = await quarantine(db, { body, headers: kept, ...why }).catch((error: unknown) => {
    throw notStored(new AppendRefused('unavailable', 'the database did not take it into quarantine', { cause: error }))
  })
  return [202, { status: 'quarantined', quarantine_id: String(quarantine_id), reason: why.reason, detail: why.detail }]
}

function notStored (error: AppendRefused): Problem {
  const retry = { 'retry-after': error.code === 'queue_full' ? '1' : '5' }
  const code = error.code === 'queue_full' ? 'queue_full' : 'not_stored'
  return new Problem(503, code, `The delivery was not stored: ${error.message}. Send it again.`, { cause: error, headers: retry })
}

import { createHmac, timingSafeEqual } from 'node:crypto'
import Fastify, { type FastifyReply } from 'fastify'

/** A delivery that was checked and parsed. */
export interface Checked {
  /** The trigger's id: what tells this event from all others. */
  event_id: string
  customer_id: string
  json: Award
  text: string
}

interface Award { customer: { id: string }, event: { id: string } }

/**
 * The Fastify app that all contenders but ours stand behind: takes the bytes, checks the signature, parses, hands over, and
 * answers once that is done. What a careful user would write, and no more.
 */
export async function serve (store: (delivery: Checked) => Promise<void>): Promise<void> {
  const secret = process.env.WEBHOOK_SECRETS ?? ''
  const app = Fastify({ logger: false, keepAliveTimeout: 72_000 })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => { done(null, body) })
  app.post('/webhooks/voucherify', { schema: { response: { 202: ANSWER } } }, async (request, reply: FastifyReply) => {
    const body = request.body as Buffer
    const signature = Buffer.from(String(request.headers['x-voucherify-signature']), 'hex')
    const own = createHmac('sha256', secret).update(body).digest()
    if (signature.length !== own.length || !timingSafeEqual(own, signature)) return await reply.code(401).send()
    const text = body.toString('utf8')
    const json = JSON.parse(text) as Award
    await store({ event_id: json.event.id, customer_id: json.customer.id, json, text })
    return await reply.code(202).send({ status: 'accepted', event_id: json.event.id })
  })
  console.log(`ready on ${await app.listen({ host: '127.0.0.1', port: 0 })}`)
  process.once('SIGTERM', () => { process.exit(0) })
}

const ANSWER = { type: 'object', properties: { status: { type: 'string' }, event_id: { type: 'string' } } }

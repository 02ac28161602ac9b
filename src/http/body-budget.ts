import type { FastifyInstance } from 'fastify'
import { Problem } from './problem.ts'

/**
 * A body up to this size is always received: the limit of connections bounds how many there are. Deliveries have some
 * kilobytes.
 */
const SMALL_BYTES = 65_536

/**
 * Bounds the memory for bodies whose sender is not known yet: a signature is checked over the whole body. A large body
 * reserves its announced length until its answer is sent, and is refused before it is read if the reservations exceed
 * the limit. Small bodies are always received, so large ones cannot keep ordinary deliveries out.
 */
export function limitBodies (scope: FastifyInstance, { bodyLimitBytes, bodiesLimitBytes }: { bodyLimitBytes: number, bodiesLimitBytes: number }): void {
  // One body of the permitted size must always fit.
  const limit = Math.max(bodiesLimitBytes, bodyLimitBytes)
  let reserved = 0

  scope.addHook('onRequest', async (request, reply) => {
    const announced = request.headers['content-length']
    if (announced === undefined && request.headers['transfer-encoding'] === undefined) return
    // A chunked body may become as large as any. One that announces more than any may have is refused by its length.
    const bytes = announced === undefined ? bodyLimitBytes : Number(announced)
    if (bytes <= SMALL_BYTES || bytes > bodyLimitBytes) return
    if (reserved + bytes > limit) {
      throw new Problem(503, 'bodies_full', 'Too many large bodies are being received at once (BODIES_LIMIT_BYTES). Send it again shortly.', { headers: { 'retry-after': '1', connection: 'close' } })
    }
    reserved += bytes
    reply.raw.once('close', () => { reserved -= bytes })
  })
}

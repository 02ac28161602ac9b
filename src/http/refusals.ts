import type { FastifyInstance } from 'fastify'
import { toProblem } from './plugins/problems.ts'

/** How often deliveries were refused for one reason, since this process started. */
export interface Refused {
  /** The problem's code. */
  code: string
  count: number
  last_at: string
}

/** Who refuses for long silences the whole feed; who logs every refusal lets strangers fill the log. */
const LOG_EVERY_MS = 60_000

/** Counts the deliveries that a scope refuses, and logs each reason at most once a minute. @returns reads the counts */
export function countRefusals (scope: FastifyInstance): () => Refused[] {
  const refusals = new Map<string, { count: number, last_ms: number, logged_ms: number }>()
  scope.addHook('onError', async (request, _reply, error) => {
    const { code, message } = toProblem(error)
    const now = Date.now()
    const { count, logged_ms } = refusals.get(code) ?? { count: 0, logged_ms: -Infinity }
    const due = now - logged_ms >= LOG_EVERY_MS
    refusals.set(code, { count: count + 1, last_ms: now, logged_ms: due ? now : logged_ms })
    if (due) request.log.warn({ code, count: count + 1 }, `A delivery was refused: ${message}`)
  })
  return () => [...refusals.keys()].sort().flatMap(code => {
    const refusal = refusals.get(code)
    return refusal === undefined ? [] : [{ code, count: refusal.count, last_at: new Date(refusal.last_ms).toISOString() }]
  })
}

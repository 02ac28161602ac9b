import { createRandom } from '../random.ts'
import { refused, type ApiAnswer } from './answer.ts'

/** What can go wrong with one call. */
export type ApiFault =
  /** Another answer than the true one. */
  | { fault: 'answer', answer: ApiAnswer }
  /** The connection ends before the answer, or in the middle of it. */
  | { fault: 'cut', midway: boolean }
  /** No answer, until the client gives up. */
  | { fault: 'silence' }
  /** An answer of status 200 that is no JSON: a proxy's error page. */
  | { fault: 'garbled' }

/** How often calls fail by chance, as probabilities. */
export interface ApiChaos { seed: string | number, broken: number, cut: number, limited: number }

export const CALM: ApiChaos = { seed: 0, broken: 0, cut: 0, limited: 0 }

/** A provider that answers 503 and 500 now and then. */
export function brokenAnswer (status = 503): ApiAnswer {
  return refused(status, 'internal_error', 'Internal server error')
}

/** Too many calls. @param retry_after_seconds absent: the answer does not say when to come back */
export function limitedAnswer (retry_after_seconds?: number): ApiAnswer {
  const headers = retry_after_seconds === undefined ? {} : { 'retry-after': String(retry_after_seconds) }
  return refused(429, 'too_many_requests', 'Too many requests hit the API too quickly', { headers: { 'x-rate-limit-remaining': '0', ...headers } })
}

export function unauthorizedAnswer (): ApiAnswer {
  return refused(401, 'unauthorized', 'Unauthorized', { details: 'Incorrect X-App-Id or X-App-Token' })
}

export function paymentAnswer (): ApiAnswer {
  return refused(402, 'payment_required', 'Payment required', { details: 'Your plan does not include this' })
}

/** Draws the fault of each call, if any: the same ones for the same seed. */
export function createFaults ({ seed, broken, cut, limited }: ApiChaos): () => ApiFault | undefined {
  const random = createRandom(`api/${seed}`)
  return () => {
    const at = random.next()
    const way = random.next()
    if (at < broken) return { fault: 'answer', answer: brokenAnswer(way < 0.5 ? 500 : 503) }
    if (at < broken + cut) return { fault: 'cut', midway: way < 0.5 }
    if (at < broken + cut + limited) return { fault: 'answer', answer: limitedAnswer(0) }
    return undefined
  }
}

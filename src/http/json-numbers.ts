import { randomUUID } from 'node:crypto'
import type { onSendAsyncHookHandler } from 'fastify'
import { markNumbers, mayRewriteNumbers, unmarkNumbers } from '../ledger/json-numbers.ts'

/** Nobody can send it: text that contains it was marked here. */
const MARK = randomUUID()

/**
 * Parses JSON that is kept as text, for an answer of a route with the hook below. Numbers that JavaScript would write
 * otherwise are marked, and written as they are kept.
 */
export function parseJson (text: string | null): unknown {
  if (text === null) return null
  return JSON.parse(mayRewriteNumbers(text) ? markNumbers(text, MARK) : text)
}

/** The hook `onSend` of a route that answers with `parseJson`. */
export const sendNumbersAsKept: onSendAsyncHookHandler = async (_request, _reply, payload) => {
  return typeof payload === 'string' ? unmarkNumbers(payload, MARK) : payload
}

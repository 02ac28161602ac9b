import { PullFailed, type ApiAnswer, type Verdict } from '../../pull.ts'
import { isObject, type JsonObject } from '../wire/json.ts'

/** The names of the settings, for people. */
export const SETTINGS = { url: 'VOUCHERIFY_API_URL', id: 'VOUCHERIFY_APP_ID', token: 'VOUCHERIFY_APP_TOKEN' } as const

/** What an answer means. The provider's errors are `{ code, key, message, details, request_id }`. */
export function judge (answer: ApiAnswer): Verdict {
  const { status } = answer
  if (status === 200) return { verdict: 'answered' }
  const detail = described(answer)
  if (status === 401) return { verdict: 'end', code: 'api_unauthorized', detail: `The API does not accept the key (${detail}). Check ${SETTINGS.id} and ${SETTINGS.token}, and that ${SETTINGS.url} is the region of the project.` }
  if (status === 402) return { verdict: 'end', code: 'api_plan_insufficient', detail: `The provider's plan does not allow it (${detail}). Ask whoever holds the account.` }
  if (status === 403 || status === 404) return { verdict: 'absent', detail }
  if (status === 429) {
    return {
      verdict: 'later',
      after_seconds: waitAskedFor(answer.headers),
      code: 'api_rate_limited',
      detail: `The API allows no more calls for now (${detail}). Lower the calls a minute in the settings, or wait: others may use up the project's limit. A plan that has ended is refused the same way.`
    }
  }
  if (status >= 500 || status === 408) return { verdict: 'later', after_seconds: waitAskedFor(answer.headers), code: 'api_unavailable', detail: `The API fails (${detail}). Run it again later: it continues where it stopped.` }
  return { verdict: 'end', code: 'api_refused', detail: `The API refuses the request (${detail}). Is ${SETTINGS.url} right? Else this is a defect of the ledger: please report it.` }
}

function described ({ status, body }: ApiAnswer): string {
  const error = parsed(body) ?? {}
  const parts = [error.key, error.details ?? error.message].filter((part): part is string => typeof part === 'string' && part !== '')
  const request = typeof error.request_id === 'string' ? `, request ${error.request_id}` : ''
  return `${status}${parts.length === 0 ? '' : ` ${parts.join(': ')}`}${request}`.slice(0, 500)
}

/** `Retry-After` in seconds or as a date; else the time at which the limit is lifted, in seconds since 1970. */
function waitAskedFor (headers: ApiAnswer['headers']): number | null {
  const retry_after = headers['retry-after']
  if (retry_after !== undefined && /^\d+$/.test(retry_after)) return Number(retry_after)
  const now_ms = Date.parse(headers.date ?? '')
  const until_ms = retry_after === undefined ? Number(headers['x-rate-limit-retry']) * 1000 : Date.parse(retry_after)
  return Number.isFinite(now_ms) && Number.isFinite(until_ms) ? Math.max(0, (until_ms - now_ms) / 1000) : null
}

/** @throws PullFailed api_unreadable */
export function readAnswer ({ body }: ApiAnswer, path: string): JsonObject {
  const read = parsed(body)
  if (read === undefined) throw new PullFailed('api_unreadable', `The answer to ${path} is no JSON object (${JSON.stringify(body.slice(0, 80))}). Does ${SETTINGS.url} name the API itself?`)
  return read
}

function parsed (body: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(body)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

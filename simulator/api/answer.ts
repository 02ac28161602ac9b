import type { JsonObject } from '../json.ts'

/** What the API answers to one request, before faults. */
export interface ApiAnswer {
  status: number
  headers?: Record<string, string>
  /** JSON, or the text of a file. */
  body: JsonObject | string
}

/** An answer that is an error, in the provider's form. */
export function refused (status: number, key: string, message: string, options: { details?: string, headers?: Record<string, string> } = {}): ApiAnswer {
  const { details = message, headers = {} } = options
  return { status, headers, body: { code: status, key, message, details, request_id: `v-${status}${key.length.toString(16)}` } }
}

export function notFound (what: string, id: string): ApiAnswer {
  return refused(404, 'not_found', 'Resource not found', { details: `Cannot find ${what} with id ${id}` })
}

/**
 * An error that a client can act on (RFC 9457): a stable `code` for programs, a `detail` that tells people what to do.
 */
export class Problem extends Error {
  override name = 'Problem'
  readonly statusCode: number
  readonly code: string
  readonly headers: Record<string, string>
  /** More for programs, beside the members that every problem has. */
  readonly members: Record<string, unknown>

  constructor (statusCode: number, code: string, detail: string, options: ErrorOptions & { headers?: Record<string, string>, members?: Record<string, unknown> } = {}) {
    super(detail, options)
    this.statusCode = statusCode
    this.code = code
    this.headers = options.headers ?? {}
    this.members = options.members ?? {}
  }
}

/** A cursor that cannot be gone on from. */
export function cursorInvalid (detail: string): Problem {
  return new Problem(400, 'cursor_invalid', detail)
}

/** Nothing of that kind is known under that key. */
export function notFound (kind: string, key: string): Problem {
  return new Problem(404, `${kind}_not_found`, `No ${kind} ${JSON.stringify(key.slice(0, 100))} is known here. It may not have been told yet: its webhook may be missing or still under way.`)
}

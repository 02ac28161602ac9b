/**
 * An error that a client can act on (RFC 9457): `code` is stable, for programs; `detail` says what to do, for people.
 */
export class Problem extends Error {
  override name = 'Problem'
  readonly statusCode: number
  readonly code: string
  readonly headers: Record<string, string>
  /** Further members of the answer, for programs. */
  readonly members: Record<string, unknown>

  constructor (statusCode: number, code: string, detail: string, options: ErrorOptions & { headers?: Record<string, string>, members?: Record<string, unknown> } = {}) {
    super(detail, options)
    this.statusCode = statusCode
    this.code = code
    this.headers = options.headers ?? {}
    this.members = options.members ?? {}
  }
}

/** The cursor cannot be used. */
export function cursorInvalid (detail: string): Problem {
  return new Problem(400, 'cursor_invalid', detail)
}

/** There is nothing of that kind with that key. */
export function notFound (kind: string, key: string): Problem {
  return new Problem(404, `${kind}_not_found`, `No ${kind} ${JSON.stringify(key.slice(0, 100))} is known. Its webhook may be missing or still on its way.`)
}

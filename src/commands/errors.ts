/** A command that cannot go on: a stable code, and a sentence that says what to do next. */
export class CommandError extends Error {
  override name = 'CommandError'
  readonly code: string

  constructor (code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

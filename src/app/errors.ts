import { failureOf } from '../postgres/errors.ts'

/** A command that cannot go on: a stable code, and a sentence that says what to do next. */
export class CommandError extends Error {
  override name = 'CommandError'
  readonly code: string

  constructor (code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** What a command failed with, as people can act on it. */
export function explain (error: unknown): { code: string, message: string } {
  const { message, code } = error as { message: string, code?: string }
  const text = message === '' ? code ?? 'unknown error' : message
  if (code === '42704' || code === '22023' || code === '42501') {
    return {
      code: 'database_forbids',
      message: `The database refuses: ${text}. The role of DATABASE_ROLE must exist and this login be a member of it: \`migrate up\` makes ledger_service and grants it to the login that migrates where that one may; else a superuser must: grant ledger_service to LOGIN.`
    }
  }
  if (error instanceof CommandError || failureOf(error) !== 'unavailable') return { code: code ?? 'failed', message: text }
  return {
    code: 'database_unreachable',
    message: `The database cannot be used: ${text}. Does PostgreSQL run there, and are host, port, name and password in DATABASE_URL right?`
  }
}

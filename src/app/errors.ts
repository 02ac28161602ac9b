import { failureOf } from '../postgres/errors.ts'
import { SessionRefused } from '../postgres/session.ts'

/** Why a command cannot go on: a stable code, and a sentence that says what to do next. */
export class CommandError extends Error {
  override name = 'CommandError'
  readonly code: string

  constructor (code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** Says why a command failed, so that people can act on it. */
export function explain (error: unknown): { code: string, message: string } {
  const { message, code } = error as { message: string, code?: string }
  const text = message === '' ? code ?? 'unknown error' : message
  if (error instanceof CommandError || error instanceof SessionRefused) return { code: error.code, message: text }
  if (code === '42704' || code === '22023' || code === '42501') {
    return {
      code: 'database_forbids',
      message: `The database refuses: ${text}. The role of DATABASE_ROLE must exist and this login be a member of it: \`migrate up\` makes ledger_service and grants it to the login that migrates where that one may; else a superuser must: grant ledger_service to LOGIN.`
    }
  }
  if (failureOf(error) !== 'unavailable') return { code: code ?? 'failed', message: text }
  if (code === STARTUP_REFUSED) {
    return {
      code: 'database_unreachable',
      message: `The database cannot be used: ${text}. If DATABASE_URL leads to a connection pooler, it must accept the options of a connection and run in session mode (PgBouncer: ignore_startup_parameters = options, pool_mode = session).`
    }
  }
  return {
    code: 'database_unreachable',
    message: `The database cannot be used: ${text}. Does PostgreSQL run there, and are host, port, name and password in DATABASE_URL right?`
  }
}

/** Protocol violation: how poolers refuse options that they do not know. */
const STARTUP_REFUSED = '08P01'

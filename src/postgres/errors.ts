/** What a failed statement means for the caller, whatever the statement was. */
export type Failure =
  /**
   * The same statement may succeed at once: a deadlock, a lock that was not granted, a plan that a migration made
   * stale.
   */
  | 'retry'
  /** A key that exists already: somebody else was faster, or the same row came again. */
  | 'taken'
  /** No answer was to be had: see `whyUnavailable`. */
  | 'unavailable'
  /** The input itself cannot be stored. */
  | 'input'
  /** Anything else: a defect or a missing migration. */
  | 'defect'

/** Why a statement got no answer. */
export type Unavailability =
  /** The database is away, restarting, full, refuses connections, or is not the one that is needed. */
  | 'unreachable'
  /** The database may be well: all connections of this pool were in use for too long. */
  | 'exhausted'
  /** The database is there, and ended the statement at its time limit. */
  | 'timeout'

const RETRY = new Set(['40001', '40P01', '55P03'])
/**
 * Connecting was refused: credentials, or a database that is missing or accepts nobody. A person must act; retries are
 * right meanwhile.
 */
const REFUSED = new Set(['28000', '28P01', '3D000', '55000', 'session_refused'])
/** The server ended a session that was idle in a transaction for too long: this process was paused or cut off. */
const ENDED_WHILE_IDLE = '25P03'
const STATEMENT_ENDED = '57014'
const EXHAUSTED = 'CONNECTIONS_EXHAUSTED'
/** Codes of Node's network, and those that driver-errors.ts gives. */
const NETWORK = /^(ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EHOST|ENET|EAI_|CONNECT|POOL_CLOSED)/

/** Classifies an error that a query threw by its code: an SQLSTATE, Node's, or one of our own. Never by its text. */
export function failureOf (error: unknown): Failure {
  const code = codeOf(error)
  if (code === undefined) return 'defect'
  if (RETRY.has(code) || isStale(error)) return 'retry'
  if (code === '23505') return 'taken'
  if (REFUSED.has(code) || code === ENDED_WHILE_IDLE || /^(08|53|57|58)/.test(code) || NETWORK.test(code)) return 'unavailable'
  if (/^22/.test(code) || code === '54000' || code === '54001' || code === '23514') return 'input'
  return 'defect'
}

/** The reason why an error is `unavailable`. */
export function whyUnavailable (error: unknown): Unavailability {
  const code = codeOf(error)
  if (code === EXHAUSTED) return 'exhausted'
  return code === STATEMENT_ENDED ? 'timeout' : 'unreachable'
}

/** Was it a prepared statement whose columns a migration has changed since? The connection would refuse it for ever. */
export function isStale (error: unknown): boolean {
  const { routine } = error as { routine?: unknown }
  return codeOf(error) === '0A000' && routine === 'RevalidateCachedQuery'
}

function codeOf (error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/** What a failed statement means for the caller; the one place where the database's error codes are read. */
export type Failure =
  /** The same statement may succeed at once: a deadlock, a lock that was not to be had, a plan that a migration overtook. */
  | 'retry'
  /** A key that is there already: someone was faster, or the same again. */
  | 'taken'
  /** The database is away, restarting, full or refusing connections. */
  | 'unavailable'
  /** The input itself cannot be stored. */
  | 'input'
  /** Anything else: a defect or a missing migration. */
  | 'defect'

const RETRY = new Set(['40001', '40P01', '55P03'])
/** Connecting was refused: credentials, a database that is missing or takes nobody. A person must act; retries are right meanwhile. */
const REFUSED = new Set(['28000', '28P01', '3D000', '55000'])
/** The server ended a session that did nothing for too long in a transaction: we were paused, or cut off. */
const ENDED_WHILE_IDLE = '25P03'
const NODE_NETWORK = /^(ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EHOST|ENET|EAI_)/

/** Classifies an error that a query threw, by its SQLSTATE or by Node's network code. */
export function failureOf (error: unknown): Failure {
  const code = codeOf(error)
  if (code === undefined) return isConnectionLoss(error) ? 'unavailable' : 'defect'
  if (RETRY.has(code) || isStale(error)) return 'retry'
  if (code === '23505') return 'taken'
  if (REFUSED.has(code) || code === ENDED_WHILE_IDLE || /^(08|53|57|58)/.test(code) || NODE_NETWORK.test(code)) return 'unavailable'
  if (/^22/.test(code) || code === '54000' || code === '54001' || code === '23514') return 'input'
  return 'defect'
}

/** Was it a prepared statement whose columns a migration has changed since? The connection would go on refusing it. */
export function isStale (error: unknown): boolean {
  const { routine } = error as { routine?: unknown }
  return codeOf(error) === '0A000' && routine === 'RevalidateCachedQuery'
}

function codeOf (error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

// node-postgres reports a connection that died under a query, and a pool that could not connect in time, as plain errors.
function isConnectionLoss (error: unknown): boolean {
  return error instanceof Error && /connection|timeout (exceeded|expired)|not queryable|Cannot use a pool/i.test(error.message)
}

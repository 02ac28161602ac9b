/**
 * What node-postgres and its pool say, word for word, in the errors to which they give no code. Only errors that the
 * driver threw are compared with it; everything else is distinguished by its code.
 */
const CODES: Readonly<Record<string, string>> = {
  'timeout exceeded when trying to connect': 'CONNECTIONS_EXHAUSTED',
  'timeout expired': 'CONNECT_TIMEOUT',
  'Connection terminated due to connection timeout': 'CONNECT_TIMEOUT',
  'Connection terminated': 'CONNECTION_LOST',
  'Connection terminated unexpectedly': 'CONNECTION_LOST',
  'Client has encountered a connection error and is not queryable': 'CONNECTION_LOST',
  'Client was closed and is not queryable': 'CONNECTION_LOST',
  'Cannot use a pool after calling end on the pool': 'POOL_CLOSED'
}

/** Gives an error of the driver its code, where it has none. @returns the same error */
export function withCode<T> (error: T): T {
  if (error instanceof Error && !('code' in error && error.code !== undefined)) {
    const code = CODES[error.message]
    if (code !== undefined) Object.assign(error, { code })
  }
  return error
}

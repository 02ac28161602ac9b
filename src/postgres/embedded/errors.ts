/** What can go wrong with the embedded PostgreSQL, as a stable code. */
export type EmbeddedPostgresCode =
  | 'unsupported_platform'
  | 'binaries_do_not_run'
  | 'no_account'
  | 'no_permission'
  | 'no_space'
  | 'locked'
  | 'initdb_failed'
  | 'not_a_cluster'
  | 'other_version'
  | 'data_missing'
  | 'password_missing'
  | 'password_refused'
  | 'start_failed'
  | 'stop_failed'
  | 'unexpected'

/** A failure of the embedded PostgreSQL: `code` is for programs, the message says what to do, for people. */
export class EmbeddedPostgresError extends Error {
  readonly code: EmbeddedPostgresCode

  constructor (code: EmbeddedPostgresCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'EmbeddedPostgresError'
    this.code = code
  }
}

/** The alternative that always works, for people who cannot or do not want to use the embedded server. */
export const useYourOwn = 'Or set DATABASE_URL to a PostgreSQL (15 to 18) of your own.'

/**
 * Turns any error into one with a code and advice. In practice these are file system errors: a full disk, a folder of
 * another account, a read-only mount.
 */
export function asEmbeddedPostgresError (error: unknown, dataDir: string): EmbeddedPostgresError {
  if (error instanceof EmbeddedPostgresError) return error
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new EmbeddedPostgresError('no_space', `The disk that holds ${dataDir} is full. Free some space and start again. ${useYourOwn}`, { cause: error })
  }
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new EmbeddedPostgresError('no_permission', `The embedded PostgreSQL may not use ${dataDir} (${message}). Run as the account that owns it, or choose another DATA_DIR. ${useYourOwn}`, { cause: error })
  }
  return new EmbeddedPostgresError('unexpected', `The embedded PostgreSQL failed: ${message}. ${useYourOwn}`, { cause: error })
}

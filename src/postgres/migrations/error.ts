/**
 * A migration that failed (`migration_failed`), that others' locks kept from its work (`migration_blocked`), or a database that
 * another process migrates (`migration_locked`). `cause` is the database's error.
 */
export class MigrationError extends Error {
  readonly code: 'migration_failed' | 'migration_blocked' | 'migration_locked'

  constructor (code: MigrationError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'MigrationError'
    this.code = code
  }
}

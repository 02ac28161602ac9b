/**
 * `migration_failed`: a migration failed. `migration_blocked`: it did not get its locks in time. `migration_locked`:
 * another process migrates the database. `cause` is the database's error.
 */
export class MigrationError extends Error {
  readonly code: 'migration_failed' | 'migration_blocked' | 'migration_locked'

  constructor (code: MigrationError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'MigrationError'
    this.code = code
  }
}

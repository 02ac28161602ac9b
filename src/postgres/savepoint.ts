import { sql } from 'kysely'
import type { Trx } from './database.ts'

/**
 * Runs a part of a transaction. If it throws, its changes are undone and the transaction can go on.
 * @throws what the part threw
 */
export async function withSavepoint (trx: Trx, part: () => Promise<void>): Promise<void> {
  await sql`savepoint part`.execute(trx)
  try {
    await part()
  } catch (error) {
    // If the connection is lost this fails, too, and the next statement says so. The first error is the one to report.
    await sql`rollback to savepoint part`.execute(trx).catch(() => {})
    throw error
  }
  await sql`release savepoint part`.execute(trx)
}

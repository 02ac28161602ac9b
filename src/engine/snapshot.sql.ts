import { sql } from 'kysely'
import type { Db, Trx } from '../postgres/database.ts'

/**
 * Runs several reads on one state of the database, so that an answer never mixes two checkpoints. The lock comes before
 * the first read and so before the snapshot: a switch to a rebuilt projection schema happens before all of the reads or
 * after, never between.
 */
export async function inSnapshot<T> (db: Db, read: (trx: Trx) => Promise<T>): Promise<T> {
  return await db.transaction().setIsolationLevel('repeatable read').setAccessMode('read only').execute(async trx => {
    await awaitSwitch(trx)
    return await read(trx)
  })
}

/**
 * Waits for a running switch to a rebuilt projection schema, and blocks others until the transaction ends. Call before
 * its first read.
 */
export async function awaitSwitch (trx: Trx): Promise<void> {
  await sql`lock table projection.checkpoints in access share mode`.execute(trx)
}

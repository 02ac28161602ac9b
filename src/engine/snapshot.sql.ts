import { sql } from 'kysely'
import type { Db, Trx } from '../postgres/database.ts'

/**
 * Runs several reads on one state of the database, so that an answer is never a mixture of two checkpoints. The lock comes
 * before the first read and so before the snapshot: a rebuilt generation takes the place of the live one before all of them or
 * after, never between.
 */
export async function inSnapshot<T> (db: Db, read: (trx: Trx) => Promise<T>): Promise<T> {
  return await db.transaction().setIsolationLevel('repeatable read').setAccessMode('read only').execute(async trx => {
    await awaitSwitch(trx)
    return await read(trx)
  })
}

/** Lets a switch of generations that is under way come to its end, and no other begin until the transaction ends. Before its first read. */
export async function awaitSwitch (trx: Trx): Promise<void> {
  await sql`lock table projection.checkpoints in access share mode`.execute(trx)
}

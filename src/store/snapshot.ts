import type { Db, Trx } from './database.ts'

/** Runs several reads on one state of the database, so that an answer is never a mixture of two checkpoints. */
export async function onOneState<T> (db: Db, read: (trx: Trx) => Promise<T>): Promise<T> {
  return await db.transaction().setIsolationLevel('repeatable read').setAccessMode('read only').execute(read)
}

import { sql } from 'kysely'
import type { Db } from './database.ts'

/** Channel on which the API tells workers in other processes that events were appended. */
export const APPENDED_CHANNEL = 'ledger_appended'

/**
 * Makes a function that tells other processes of new events: at most one NOTIFY under way and one to follow, however
 * often it is called (a NOTIFY a transaction would serialise the commits). A lost one only costs latency: workers poll.
 */
export function createNotifier (db: Db): () => void {
  let underWay = false
  let again = false
  function notify (): void {
    if (underWay) {
      again = true
      return
    }
    underWay = true
    sql`select pg_notify(${APPENDED_CHANNEL}, '')`.execute(db)
      .catch(() => { /* the poll finds the events */ })
      .finally(() => {
        underWay = false
        if (again) {
          again = false
          notify()
        }
      })
  }
  return notify
}

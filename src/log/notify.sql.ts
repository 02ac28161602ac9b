import { sql } from 'kysely'
import type { Db } from '../postgres/database.ts'
import { prepared } from '../postgres/prepared.ts'

/** Channel on which the API tells workers in other processes that events were appended. */
export const APPENDED_CHANNEL = 'ledger_appended'

const notify = prepared(() => sql`select pg_notify(${APPENDED_CHANNEL}, '')`)

/**
 * From one NOTIFY to the next. Each is a query of its own, and under load there are a thousand flushes a second; what comes in
 * the rest is told at its end.
 */
const REST_MS = 10

/**
 * Makes a function that tells other processes of new events: at once, and then once a rest at most, however often it is called
 * (a NOTIFY a transaction would serialise the commits). A lost one only costs latency: workers poll.
 */
export function createNotifier (db: Db): () => void {
  let asked = 0
  let observed = 0
  let observation = false
  async function observeFields (): Promise<void> {
    observation = true
    while (observed < asked) {
      observed = asked
      const rested = new Promise(resolve => setTimeout(resolve, REST_MS).unref())
      await notify(db).catch(() => { /* the poll finds the events */ })
      await rested
    }
    observation = false
  }
  return () => {
    asked += 1
    if (!observation) void observeFields()
  }
}

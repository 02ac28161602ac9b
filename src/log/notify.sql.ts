import { sql } from 'kysely'
import type { Db } from '../postgres/database.ts'
import { prepared } from '../postgres/prepared.ts'

/** Channel on which the API notifies workers in other processes of appended events. */
export const APPENDED_CHANNEL = 'ledger_appended'

const notify = prepared(() => sql`select pg_notify(${APPENDED_CHANNEL}, '')`)

/**
 * Least time between two notifications. Each is a query of its own, and under load there are a thousand batches a
 * second.
 */
const PAUSE_MS = 10

/**
 * Makes a function that notifies other processes of new events: at once, and then every 10 ms at most, however often it
 * is called. A NOTIFY in each transaction would serialise the commits. A lost one only costs latency, since workers
 * poll.
 */
export function createNotifier (db: Db): () => void {
  let called = 0
  let notified = 0
  let running = false

  async function run (): Promise<void> {
    running = true
    while (notified < called) {
      notified = called
      const pause = new Promise(resolve => setTimeout(resolve, PAUSE_MS).unref())
      await notify(db).catch(() => { /* the poll finds the events */ })
      await pause
    }
    running = false
  }

  return () => {
    called += 1
    if (!running) void run()
  }
}

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Contender } from './contender.ts'

export const MAIN = fileURLToPath(new URL('../../dist/src/main.js', import.meta.url))

/** This product, as it is shipped: its API, without a worker beside it. */
export const ledger: Contender = {
  name: 'loyalty ledger',
  command: [MAIN, 'serve', '--only', 'api'],
  async prepare (url) { await runLedger(['migrate', 'up'], url) },
  async count (pool) {
    const { rows: [row] } = await pool.query<{ events: number, rows: number }>(
      'select count(distinct (event_id, subject))::integer as events, count(*)::integer as rows from ledger.events')
    return row as { events: number, rows: number }
  }
}

/** Runs a command of the product on a database to its end. */
export async function runLedger (args: readonly string[], url: string): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, ...args], { env: { ...process.env, DATABASE_URL: url }, maxBuffer: 1 << 26 })
  return stdout
}

import pg from 'pg'
import { startupOptions } from './database.ts'
import { socketsWithTimeout, serverTimeouts } from './dead-peers.ts'

export interface Listener { stop: () => Promise<void> }

const RECONNECT_MIN_MS = 100
const RECONNECT_MAX_MS = 10_000

/**
 * Listens on a channel and reconnects for ever. A dead listener may cost its user latency only: poll meanwhile.
 * @param channel a plain name; it becomes part of the statement
 * @param onNotify also called after each connect, since notifications may have been missed before it
 * @param silence_ms how long a query may stay unanswered before the connection counts as dead. A connection that only
 * listens cannot tell silence from death, so it sends a query twice in that time.
 */
export function listen (url: string, channel: string, onNotify: () => void, timeout_ms: number): Listener {
  let client: pg.Client | undefined
  let timer: NodeJS.Timeout | undefined
  let delay_ms = RECONNECT_MIN_MS
  let stopped = false

  async function connect (): Promise<void> {
    const connecting = new pg.Client({
      connectionString: url,
      application_name: 'loyalty-ledger listener',
      keepAlive: true,
      connectionTimeoutMillis: 5000,
      stream: socketsWithTimeout(timeout_ms),
      options: startupOptions(serverTimeouts(timeout_ms))
    })
    client = connecting
    connecting.on('error', () => { reconnect(connecting) })
    connecting.on('end', () => { reconnect(connecting) })
    connecting.on('notification', onNotify)
    try {
      await connecting.connect()
      await connecting.query(`listen ${channel}`)
      delay_ms = RECONNECT_MIN_MS
      onNotify()
      askAgainAndAgain(connecting)
    } catch {
      reconnect(connecting)
    }
  }

  // The next question waits for the answer to the last: what is sent counts as traffic, and would keep a dead connection.
  function askAgainAndAgain (listening: pg.Client): void {
    if (stopped || client !== listening) return
    timer = setTimeout(() => {
      listening.query('select 1').then(() => { askAgainAndAgain(listening) }, () => { reconnect(listening) })
    }, timeout_ms / 2)
  }

  function reconnect (lost: pg.Client): void {
    if (stopped || client !== lost) return
    client = undefined
    clearTimeout(timer)
    lost.end().catch(() => { /* it is gone already */ })
    timer = setTimeout(() => { void connect() }, delay_ms)
    delay_ms = Math.min(delay_ms * 2, RECONNECT_MAX_MS)
  }

  void connect()
  return {
    async stop () {
      stopped = true
      clearTimeout(timer)
      await client?.end().catch(() => { /* it is gone already */ })
    }
  }
}

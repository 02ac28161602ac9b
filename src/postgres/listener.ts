import type pg from 'pg'
import { createClient } from './connection.ts'
import { CONNECT_TIMEOUT_MS, sessionOf, type DatabaseOptions } from './database.ts'
import { socketsWithTimeout } from './dead-peers.ts'

export interface Listener { stop: () => Promise<void> }

const RECONNECT_MIN_MS = 100
const RECONNECT_MAX_MS = 10_000

/** How a listener reaches its database, and as whom. */
export interface ListenerOptions extends Pick<DatabaseOptions, 'url' | 'role'> {
  /**
   * How long a query may stay unanswered before the connection counts as dead. A connection that only listens cannot
   * distinguish silence from a dead peer, so it sends a query twice in that time.
   */
  timeout_ms: number
}

/**
 * Listens on a channel and reconnects for ever. A dead listener only delays its user, who must poll as well.
 * @param channel a plain name; it becomes part of the statement
 * @param onNotify also called after each connect, since notifications may have been missed before it
 */
export function listen (options: ListenerOptions, channel: string, onNotify: () => void): Listener {
  let client: pg.Client | undefined
  let timer: NodeJS.Timeout | undefined
  let delay_ms = RECONNECT_MIN_MS
  let stopped = false

  async function connect (): Promise<void> {
    const connecting = createClient({
      connectionString: options.url,
      application_name: 'loyalty-ledger listener',
      keepAlive: true,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      stream: socketsWithTimeout(options.timeout_ms),
      session: sessionOf(options)
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
      probe(connecting)
    } catch {
      reconnect(connecting)
    }
  }

  // One query at a time: what is sent counts as traffic, and would keep a dead connection alive.
  function probe (listening: pg.Client): void {
    if (stopped || client !== listening) return
    timer = setTimeout(() => {
      listening.query('select 1').then(() => { probe(listening) }, () => { reconnect(listening) })
    }, options.timeout_ms / 2)
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

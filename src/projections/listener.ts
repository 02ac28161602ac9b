import pg from 'pg'
import { APPENDED_CHANNEL } from '../store/notify.ts'

export interface Listener { stop: () => Promise<void> }

const RECONNECT_MIN_MS = 100
const RECONNECT_MAX_MS = 10_000

/**
 * Listens for appends by other processes. A listener that is dead, or never came up, only costs latency: it reconnects
 * for ever, and the worker polls meanwhile.
 */
export function listenForAppends (url: string, onAppended: () => void): Listener {
  let client: pg.Client | undefined
  let timer: NodeJS.Timeout | undefined
  let delay_ms = RECONNECT_MIN_MS
  let stopped = false

  async function connect (): Promise<void> {
    const connecting = new pg.Client({ connectionString: url, application_name: 'loyalty-ledger listener', keepAlive: true, connectionTimeoutMillis: 5000 })
    client = connecting
    connecting.on('error', () => { reconnect(connecting) })
    connecting.on('end', () => { reconnect(connecting) })
    connecting.on('notification', onAppended)
    try {
      await connecting.connect()
      await connecting.query(`listen ${APPENDED_CHANNEL}`)
      delay_ms = RECONNECT_MIN_MS
      // Something may have been appended while nobody listened.
      onAppended()
    } catch {
      reconnect(connecting)
    }
  }

  function reconnect (lost: pg.Client): void {
    if (stopped || client !== lost) return
    client = undefined
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

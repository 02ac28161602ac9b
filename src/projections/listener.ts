import pg from 'pg'
import { startupOptions } from '../store/database.ts'
import { APPENDED_CHANNEL } from '../store/notify.ts'
import { givingUpAfter, settingsAgainstSilence } from '../store/silence.ts'

export interface Listener { stop: () => Promise<void> }

const RECONNECT_MIN_MS = 100
const RECONNECT_MAX_MS = 10_000

/**
 * Listens for appends by other processes. A listener that is dead, or never came up, only costs latency: it reconnects
 * for ever, and the worker polls meanwhile.
 * @param silence_ms how long a question may stay unanswered before the connection counts as dead. Whoever only listens cannot
 * tell silence from death, so it asks something twice in that time.
 */
export function listenForAppends (url: string, onAppended: () => void, silence_ms: number): Listener {
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
      stream: givingUpAfter(silence_ms),
      options: startupOptions(settingsAgainstSilence(silence_ms))
    })
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
    }, silence_ms / 2)
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

import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'

export interface Keeping {
  /** The URL of the server when it was first opened. */
  url: string
  isReleased: () => boolean
  open: () => Promise<{ presence: pg.Client, url: string }>
  log: (line: string) => void
}

/**
 * Watches the presence connection, which ends when the server dies. The server is then opened again, if possible on the
 * same port, until that succeeds or it is released.
 */
export function keepRunning (first: pg.Client, { url, isReleased, open, log }: Keeping): { presence: () => pg.Client } {
  let presence = first
  const watch = (): void => { presence.once('end', () => { if (!isReleased()) void revive() }) }
  const revive = async (): Promise<void> => {
    log('PostgreSQL has died; starting it again …')
    for (let pause_ms = 100; !isReleased(); pause_ms = Math.min(pause_ms * 2, 5_000)) {
      try {
        const again = await open()
        presence = again.presence
        watch()
        log(again.url === url ? 'PostgreSQL is running again.' : 'PostgreSQL is running again, but on another port, because another program took the old one: restart this process.')
        return
      } catch (error) {
        log(`PostgreSQL could not be started again: ${(error as Error).message}`)
        await sleep(pause_ms)
      }
    }
  }
  watch()
  return { presence: () => presence }
}

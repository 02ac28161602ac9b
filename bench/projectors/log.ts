import { fill } from '../load/fill.ts'
import type { Unsent } from '../load/deliveries.ts'
import { ledger } from '../contenders/ledger.ts'

/** How a system stores what it shall project later. */
export interface Log {
  name: string
  /** Stores deliveries in an empty database. @returns how many events are stored */
  store: (url: string, deliveries: Iterable<Unsent>) => Promise<number>
}

/** Ours; the ceiling and the projector that goes row by row read it as well. */
export const ledgerLog = {
  name: 'ledger',
  async store (url: string, deliveries: Iterable<Pick<Unsent, 'body'>>): Promise<number> {
    await ledger.prepare?.(url)
    return await fill(url, deliveries)
  }
} satisfies Log

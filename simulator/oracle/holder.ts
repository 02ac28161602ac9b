import type { HolderFact, ReleaseFact } from '../facts.ts'
import { compare } from './movements.ts'

/** Who holds a card: the newest told holder, unless that one was released then or later. */
export function holderOf (tellings: ReadonlyArray<HolderFact | ReleaseFact>): string | null {
  const newest = tellings.filter(telling => telling.fact === 'holder').sort((a, b) => compare(b.at, a.at))[0]
  if (newest === undefined) return null
  const released = tellings.some(telling => telling.fact === 'release' && telling.customer_id === newest.customer_id && telling.at >= newest.at)
  return released ? null : newest.customer_id
}

import type { HolderFact, ReleaseFact } from '../facts.ts'
import { compare } from './movements.ts'

/** The holder of a card: the newest one observed, unless released at that time or later. */
export function holderOf (observations: ReadonlyArray<HolderFact | ReleaseFact>): string | null {
  const newest = observations.filter(observation => observation.fact === 'holder').sort((a, b) => compare(b.at, a.at))[0]
  if (newest === undefined) return null
  const released = observations.some(observation => observation.fact === 'release' && observation.customer_id === newest.customer_id && observation.at >= newest.at)
  return released ? null : newest.customer_id
}

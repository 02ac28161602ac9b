import type { PendingObservation } from './facts.ts'
import type { Instant } from './instant.ts'
import { compareText } from './text.ts'

/** An observed state of a lot, and when we first stored it. */
export interface RecordedLotState extends Pick<PendingObservation, 'pending_id' | 'card_id' | 'state' | 'points' | 'occurred_at'> {
  recorded_at: Instant
}

const RANKS = { added: 0, updated: 1, canceled: 2, activated: 3 } as const

/**
 * The points of a lot that are still pending, by its newest observed state. A lot that has ended stays ended, whatever
 * a late observation says. The result depends only on the set of observations.
 * @param observations of one lot, in any order
 */
export function outstanding (observations: readonly RecordedLotState[]): bigint {
  const [first, ...rest] = observations
  if (first === undefined) return 0n
  return rest.reduce((newest, observation) => compareLotStates(observation, newest) > 0 ? observation : newest, first).points
}

function compareLotStates (a: RecordedLotState, b: RecordedLotState): number {
  return Number(ends(a)) - Number(ends(b)) ||
    compareText(a.occurred_at, b.occurred_at) ||
    RANKS[a.state] - RANKS[b.state] ||
    (a.points < b.points ? -1 : a.points > b.points ? 1 : 0)
}

function ends ({ state }: RecordedLotState): boolean {
  return state === 'activated' || state === 'canceled'
}

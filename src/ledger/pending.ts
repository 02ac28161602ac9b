import type { PendingObservation } from './facts.ts'
import { groupBy } from './group-by.ts'
import type { Instant } from './instant.ts'
import { apart, WINDOW_MICROSECONDS } from './instant-distance.ts'
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

/** What is pending on a card in all as of a time, as the provider states it. */
export interface PendingTotal { occurred_at: Instant, points: bigint }

/** A card's pending points, and how many of them no known lot explains. */
export interface PendingSums { pending: bigint, pending_unexplained: bigint }

/**
 * What is pending on a card: the newest total that the provider states, and what changed in lots since then. What the
 * total shows beyond the lots known then is unexplained, and stays so until a newer total.
 *
 * A total and the change of a lot that it includes can be dated seconds apart. So within the window around the total
 * the lots are cut where they fit it best.
 * @param inLots what is pending in all known lots
 * @param newest the totals as of the newest time; several where they differ, and then the one that fits best counts
 * @param changed every state of the lots that changed since a window before that time
 */
export function pendingBy (inLots: bigint, newest: readonly PendingTotal[], changed: readonly RecordedLotState[]): PendingSums {
  const at = newest[0]?.occurred_at
  if (at === undefined) return { pending: inLots, pending_unexplained: 0n }
  const lots = [...groupBy(changed, ({ pending_id }) => pending_id).values()]
  const cuts = new Set([at, ...changed.map(({ occurred_at }) => occurred_at).filter(time => apart(time, at) <= WINDOW_MICROSECONDS)])
  const fits = [...cuts].flatMap(cut => {
    const since = lots.reduce((sum, states) => sum + outstanding(states) - outstanding(states.filter(({ occurred_at }) => occurred_at <= cut)), 0n)
    return newest.map(({ points }) => ({ cut, unexplained: points - (inLots - since) }))
  })
  const { unexplained } = fits.reduce((best, fit) => compareFits(at, fit, best) < 0 ? fit : best)
  return { pending: inLots + unexplained, pending_unexplained: unexplained }
}

interface Fit { cut: Instant, unexplained: bigint }

/** The least unexplained first, then the nearest in time. */
function compareFits (at: Instant, a: Fit, b: Fit): number {
  return compareNumbers(a.unexplained * a.unexplained, b.unexplained * b.unexplained) || apart(a.cut, at) - apart(b.cut, at) ||
    compareText(a.cut, b.cut) || compareNumbers(a.unexplained, b.unexplained)
}

function compareNumbers (a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0
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

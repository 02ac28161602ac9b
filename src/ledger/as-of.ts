import { foldCard, type Folded } from './card.ts'
import { groupBy } from './group-by.ts'
import { addHolderObservations, holderOf, type HolderObservation } from './holders.ts'
import type { Instant } from './instant.ts'
import { mergeObservations, type Movement, type RecordedObservation } from './movements.ts'
import { outstanding, type RecordedLotState } from './pending.ts'

/**
 * The two times a question can name. `at`: what had happened by then (occurred_at, the provider's time). `known_at`:
 * what we had stored by then (recorded_at, our time). Both are inclusive; null means no bound.
 */
export interface AsOf { at: Instant | null, known_at: Instant | null }

function isBy (bound: Instant | null, time: Instant): boolean {
  return bound === null || time <= bound
}

/**
 * The movements that had happened by `at`, as they were known at `known_at`: each merged from the observations stored
 * by then. `at` is compared with the merged time, so a movement with several observed times happens once.
 * @param observations of movements of one card, in any order
 */
export function movementsAt (observations: readonly RecordedObservation[], { at, known_at }: AsOf): Movement[] {
  const known = observations.filter(({ recorded_at }) => isBy(known_at, recorded_at))
  return [...groupBy(known, ({ movement_id }) => movement_id).values()]
    .map(mergeObservations)
    .filter(movement => movement !== undefined)
    .filter(({ occurred_at }) => isBy(at, occurred_at))
}

/**
 * Folds the tail of a card's history as it was known at `known_at`, by the fold of the live statement. A movement that
 * was observed again after `known_at` is merged from its earlier observations.
 * @param kept movements of the tail up to `at` that were not observed after `known_at`
 * @param reobserved all observations of the movements that were
 * @param balance the running balance before the tail; null when no line precedes it
 */
export function foldAsKnown (kept: readonly Movement[], reobserved: readonly RecordedObservation[], balance: bigint | null, asOf: AsOf): Folded {
  return foldCard(happenedBy([...kept, ...movementsAt(reobserved, { ...asOf, at: null })], asOf.at), balance)
}

/**
 * The movements that had happened by `at`. The opening precedes all others: once any movement had happened, it counts,
 * even if it is dated later.
 */
export function happenedBy (movements: readonly Movement[], at: Instant | null): Movement[] {
  const happened = movements.filter(({ occurred_at }) => isBy(at, occurred_at))
  return happened.length === 0 ? [] : movements.filter(({ kind, occurred_at }) => kind === 'opening' || isBy(at, occurred_at))
}

/** The points that were pending on a card: the sum over its lots, each by the states observed and stored by then. */
export function pendingAt (observations: readonly RecordedLotState[], { at, known_at }: AsOf): bigint {
  const known = observations.filter(({ occurred_at, recorded_at }) => isBy(at, occurred_at) && isBy(known_at, recorded_at))
  return [...groupBy(known, ({ pending_id }) => pending_id).values()].reduce((sum, lot) => sum + outstanding(lot), 0n)
}

/** Who held a card by these observations; null when none names a holder, or the last holder released it. */
export function holderAmong (observations: readonly HolderObservation[]): string | null {
  return holderOf(addHolderObservations([], observations))
}

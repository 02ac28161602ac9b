import { foldCard, type Folded } from './card.ts'
import { groupBy } from './group.ts'
import { addHolderObservations, holderOf, type HolderObservation } from './holders.ts'
import type { Instant } from './instant.ts'
import { mergeObservations, type Movement, type RecordedObservation } from './movements.ts'
import { outstanding, type RecordedLotState } from './pending.ts'

/**
 * The two clocks of a question. `at`: what had happened by then, on the provider's clock; `known_at`: what we had stored
 * by then, on ours. Both inclusive; null is not asked: everything.
 */
export interface AsOf { at: Instant | null, known_at: Instant | null }

function by (clock: Instant | null, time: Instant): boolean {
  return clock === null || time <= clock
}

/**
 * The movements that had happened by `at` as they were known at `known_at`: each merged from the sightings stored by then.
 * `at` looks at the merged time: a sighting that says another time for a movement does not make it happen twice.
 * @param sightings of movements of one card, in any order
 */
export function movementsAt (observations: readonly RecordedObservation[], { at, known_at }: AsOf): Movement[] {
  const known = observations.filter(({ recorded_at }) => by(known_at, recorded_at))
  return [...groupBy(known, ({ movement_id }) => movement_id).values()]
    .map(mergeObservations)
    .filter(movement => movement !== undefined)
    .filter(({ occurred_at }) => by(at, occurred_at))
}

/**
 * Folds the end of a card's history as it was known: the movements that later sightings left alone, and those they told
 * anew, from what was told of these by then. The same fold as the live one, from the same balance before.
 * @param kept movements of which nothing was stored after `known_at`, not before the stretch and not after `at`
 * @param retold every sighting of the movements of which something was
 * @param balance the running balance before the stretch; null when no line stands before it
 */
export function foldAsKnown (kept: readonly Movement[], reobserved: readonly RecordedObservation[], balance: bigint | null, asOf: AsOf): Folded {
  return foldCard(happenedBy([...kept, ...movementsAt(reobserved, { ...asOf, at: null })], asOf.at), balance)
}

/** What a card was made with is before all else: it counts as soon as anything happened, however late it is dated. */
export function happenedBy (movements: readonly Movement[], at: Instant | null): Movement[] {
  const happened = movements.filter(({ occurred_at }) => by(at, occurred_at))
  return happened.length === 0 ? [] : movements.filter(({ kind, occurred_at }) => kind === 'opening' || by(at, occurred_at))
}

/** What was pending on a card: over its lots, what was outstanding by the states observed and stored by then. */
export function pendingAt (observations: readonly RecordedLotState[], { at, known_at }: AsOf): bigint {
  const known = observations.filter(({ occurred_at, recorded_at }) => by(at, occurred_at) && by(known_at, recorded_at))
  return [...groupBy(known, ({ pending_id }) => pending_id).values()].reduce((sum, lot) => sum + outstanding(lot), 0n)
}

/** Who held a card, by the tellings of that time; null when none had told of a holder, or the holder had let it go. */
export function holderAmong (observations: readonly HolderObservation[]): string | null {
  return holderOf(addHolderObservations([], observations))
}

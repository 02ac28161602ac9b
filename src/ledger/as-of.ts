import { addToSums, foldCard, type FoldContext, type Folded } from './card.ts'
import { groupBy } from './group-by.ts'
import { addHolderObservations, holderOf, type HolderObservation } from './holders.ts'
import { later, type Instant } from './instant.ts'
import { mergeObservations, type Movement, type RecordedObservation } from './movements.ts'
import type { BalanceSnapshot } from './snapshots.ts'
import { outstanding, pendingBy, type PendingSums, type PendingTotal, type RecordedLotState } from './pending.ts'

/**
 * The two times a question can name. `at`: what had happened by then (occurred_at, the provider's time). `known_at`:
 * what we had stored by then (recorded_at, our time). Both are inclusive; null means no bound.
 */
export interface AsOf { at: Instant | null, known_at: Instant | null }

function isBy (bound: Instant | null, time: Instant): boolean {
  return bound === null || time <= bound
}

/**
 * Movements as they were known at `known_at`: each merged from the observations stored by then.
 * @param observations of movements of one card, in any order
 */
export function movementsKnown (observations: readonly RecordedObservation[], known_at: Instant | null): Movement[] {
  const known = observations.filter(({ recorded_at }) => isBy(known_at, recorded_at))
  return [...groupBy(known, ({ movement_id }) => movement_id).values()]
    .map(mergeObservations)
    .filter(movement => movement !== undefined)
}

/**
 * Folds the tail of a card's history as it was known at `known_at`, by the fold of the live statement, and cuts it off
 * at `at`. A movement that was observed again after `known_at` is merged from its earlier observations.
 * @param kept movements of the tail that were not observed after `known_at`
 * @param reobserved all observations of the movements that were
 * @param balance the running balance before the tail; null when no line precedes it
 * @param beside what the fold needs beside them, as it was known
 */
export function foldAsKnown (kept: readonly Movement[], reobserved: readonly RecordedObservation[], balance: bigint | null, asOf: AsOf, beside: FoldContext = {}): Folded {
  const folded = foldCard([...kept, ...movementsKnown(reobserved, asOf.known_at)], balance, beside)
  return cutAt(folded, asOf.at, balance, beside.snapshots)
}

/**
 * The part of a fold up to a time: its lines are in order of time. What the card held before its first line counts from
 * that line on, or from the first snapshot of the card.
 * @param balance the running balance before the fold; null when no line precedes it
 */
export function cutAt (folded: Folded, at: Instant | null, balance: bigint | null, snapshots: readonly BalanceSnapshot[] = []): Folded {
  const end = folded.lines.findIndex(({ occurred_at }) => !isBy(at, occurred_at))
  const lines = end === -1 ? folded.lines : folded.lines.slice(0, end)
  const seen = snapshots.filter(({ occurred_at }) => isBy(at, occurred_at))
  const sums = { ...folded.sums }
  for (const { kind, points } of folded.lines.slice(lines.length)) addToSums(sums, kind, points, -1n)
  if (balance === null && lines.length === 0 && seen.length === 0) sums.opening = 0n
  const stated = lines.findLast(({ reported_balance }) => reported_balance !== null)
  return {
    ...folded,
    lines,
    sums,
    balance: lines.at(-1)?.balance ?? balance ?? sums.opening,
    balance_stated_at: newest([...seen.map(({ occurred_at }) => occurred_at), ...stated === undefined ? [] : [stated.occurred_at]])
  }
}

function newest (times: readonly Instant[]): Instant | null {
  return times.reduce<Instant | null>((latest, time) => later(latest, time), null)
}

/**
 * The points that were pending on a card, by the states of its lots and the totals that were observed and stored by
 * then.
 */
export function pendingAt (states: readonly RecordedLotState[], totals: ReadonlyArray<PendingTotal & { recorded_at: Instant }>, { at, known_at }: AsOf): PendingSums {
  const isKnown = ({ occurred_at, recorded_at }: { occurred_at: Instant, recorded_at: Instant }): boolean => isBy(at, occurred_at) && isBy(known_at, recorded_at)
  const known = states.filter(isKnown)
  const inLots = [...groupBy(known, ({ pending_id }) => pending_id).values()].reduce((sum, lot) => sum + outstanding(lot), 0n)
  const stated = totals.filter(isKnown)
  const last = newest(stated.map(({ occurred_at }) => occurred_at))
  return pendingBy(inLots, stated.filter(({ occurred_at }) => occurred_at === last), known)
}

/** Who held a card by these observations; null when none names a holder, or the last holder released it. */
export function holderAmong (observations: readonly HolderObservation[]): string | null {
  return holderOf(addHolderObservations([], observations))
}

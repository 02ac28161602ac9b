import { movementOf, type Folded } from '../ledger/card.ts'
import { groupBy } from '../ledger/group-by.ts'
import type { Instant } from '../ledger/instant.ts'
import type { Movement } from '../ledger/movements.ts'
import { foldAsKnown, type AsOf } from '../ledger/as-of.ts'
import type { Trx } from '../postgres/database.ts'
import { findBarelyKnown, findChangedSince, readObservationsBy, readReobserved, readUntouched, type Cut } from './lines.sql.ts'
import { readOpenings } from '../projections/cards/observations.sql.ts'
import { findTailStarts, FIRST, readBeforeTails, readEarlier, readSnapshots } from '../projections/cards/tails.sql.ts'

/** A card's lines as of a past time: the live lines up to the cut, then the refolded ones. */
export interface RefoldedTail {
  cut: Cut
  /** The lines after the cut; undefined if the live lines are the whole answer. */
  tail: Folded | undefined
}

/**
 * Finds which of each card's live lines were already known, and refolds the rest as it was known. Lines are in order of
 * time, so `at` only cuts them. An observation stored after `known_at` makes all lines invalid from the place on
 * that it can reach. If more was stored after `known_at` than before, the whole history is folded from its beginning
 * instead.
 *
 * Both ways are needed. Always folding from the beginning is simpler, but for a time near the end of 20,000 movements
 * it blocked this process, and so every other request, for 278 ms; this takes 6. Always invalidating took 804 ms near
 * the beginning of 100,000, where this takes 11.
 */
export async function refoldTails (trx: Trx, card_ids: readonly string[], asOf: AsOf): Promise<Map<string, RefoldedTail>> {
  const { at, known_at } = asOf
  const barely = known_at === null ? new Set<string>() : await findBarelyKnown(trx, card_ids, known_at)
  const mostly = card_ids.filter(card_id => !barely.has(card_id))
  const changed = known_at === null ? [] : await findChangedSince(trx, mostly, known_at)
  const starts = await findTailStarts(trx, changed)
  const past = card_ids.map((card_id): RefoldedTail => {
    const from = barely.has(card_id) ? FIRST : starts.get(card_id) ?? null
    // All changed lines are later than `at`: the answer does not contain them.
    return { cut: { card_id, from: at !== null && from !== null && from > at ? null : from, at }, tail: undefined }
  })
  const refolded = past.filter(({ cut }) => cut.from !== null)
  if (known_at !== null && refolded.length > 0) await refoldAsKnown(trx, refolded, { at, known_at }, barely)
  return new Map(past.map(card => [card.cut.card_id, card]))
}

/** Folds the tails from their cuts on, and sets them. */
async function refoldAsKnown (trx: Trx, cards: readonly RefoldedTail[], { at, known_at }: { at: Instant | null, known_at: Instant }, barely: ReadonlySet<string>): Promise<void> {
  const starts = cards.map(({ cut: { card_id, from } }) => ({ card_id, from: from ?? FIRST }))
  const mostly = starts.filter(({ card_id }) => !barely.has(card_id))
  const byCard = <Row extends { card_id: string }>(rows: readonly Row[]): Map<string, Row[]> => groupBy(rows, ({ card_id }) => card_id)
  const kept = byCard(await readUntouched(trx, mostly, known_at))
  const observed = byCard([
    ...await readReobserved(trx, mostly.map(({ card_id }) => card_id), known_at),
    ...await readObservationsBy(trx, starts.map(({ card_id }) => card_id).filter(card_id => barely.has(card_id)), known_at)
  ])
  const before = new Map((await readBeforeTails(trx, starts)).map(tail => [tail.card_id, tail]))
  const openings = byCard(await readOpenings(trx, starts.map(({ card_id }) => card_id), known_at))
  const snapshots = byCard(await readSnapshots(trx, starts, known_at))
  const earlier = byCard(await readEarlier(trx, starts))
  for (const card of cards) {
    const { card_id } = card.cut
    // The opening can come first again, if the movements before it were not known yet.
    const movements = (kept.get(card_id) ?? []).map(movementOf).filter(movement => movement !== undefined && movement.kind !== 'opening') as Movement[]
    const balance = before.get(card_id)?.balance_before ?? null
    const fromFirst = balance === null ? openings.get(card_id) ?? [] : []
    const observations = [...(observed.get(card_id) ?? []).filter(({ kind }) => kind !== 'opening'), ...fromFirst]
    card.tail = foldAsKnown(movements, observations, balance, { at, known_at }, { snapshots: snapshots.get(card_id) ?? [], earlier: earlier.get(card_id) ?? [], joined: before.get(card_id)?.joined ?? null })
  }
}

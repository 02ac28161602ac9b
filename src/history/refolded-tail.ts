import { movementOf, type Folded } from '../ledger/card.ts'
import { groupBy } from '../ledger/group-by.ts'
import type { Instant } from '../ledger/instant.ts'
import type { Movement } from '../ledger/movements.ts'
import { foldAsKnown, type AsOf } from '../ledger/as-of.ts'
import type { Trx } from '../postgres/database.ts'
import { findBarelyKnown, findReobserved, readBefore, readObservationsBy, readReobserved, readUntouched, type Cut } from './lines.sql.ts'
import { readOpenings } from '../projections/cards/observations.sql.ts'

/** A card's lines as of a past time: the live lines up to the cut, then the refolded ones. */
export interface RefoldedTail {
  cut: Cut
  /** The lines after the cut; undefined if the live lines are the whole answer. */
  tail: Folded | undefined
}

/**
 * Finds which of each card's live lines were already known, and refolds the rest as it was known. Lines are in order of
 * time, so `at` only cuts them. An observation stored after `known_at` makes all lines invalid from the time that it
 * names on. If more was stored after `known_at` than before, the whole history is folded from its beginning instead.
 *
 * Both ways are needed. Always folding from the beginning is simpler, but for a time near the end of 20,000 movements
 * it blocked this process, and so every other request, for 278 ms; this takes 6. Always invalidating took 804 ms near
 * the beginning of 100,000, where this takes 11.
 */
export async function refoldTails (trx: Trx, card_ids: readonly string[], asOf: AsOf): Promise<Map<string, RefoldedTail>> {
  const { at, known_at } = asOf
  const barely = known_at === null ? new Map<string, Instant>() : await findBarelyKnown(trx, card_ids, known_at)
  const reobserved = known_at === null ? new Map<string, Instant>() : await findReobserved(trx, card_ids.filter(card_id => !barely.has(card_id)), known_at)
  const past = card_ids.map((card_id): RefoldedTail => {
    const from = barely.get(card_id) ?? reobserved.get(card_id) ?? null
    // All changed lines are later than `at`: the answer does not contain them.
    return { cut: { card_id, from: at !== null && from !== null && from > at ? null : from, at }, tail: undefined }
  })
  const refolded = past.filter(({ cut }) => cut.from !== null)
  if (known_at !== null && refolded.length > 0) {
    const cuts = refolded.map(({ cut }) => cut)
    const mostly = cuts.filter(({ card_id }) => !barely.has(card_id))
    const kept = groupBy(await readUntouched(trx, mostly, known_at), ({ card_id }) => card_id)
    const observed = groupBy([
      ...await readReobserved(trx, mostly.map(({ card_id }) => card_id), known_at),
      ...await readObservationsBy(trx, cuts.map(({ card_id }) => card_id).filter(card_id => barely.has(card_id)), known_at)
    ], ({ card_id }) => card_id)
    const before = await readBefore(trx, cuts)
    const openings = groupBy(await readOpenings(trx, cuts.map(({ card_id }) => card_id), known_at), ({ card_id }) => card_id)
    for (const card of refolded) {
      const { card_id } = card.cut
      // The opening can come first again, if the movements before it were not known yet.
      const movements = (kept.get(card_id) ?? []).map(movementOf).filter(movement => movement !== undefined && movement.kind !== 'opening') as Movement[]
      const observations = [...(observed.get(card_id) ?? []).filter(({ kind }) => kind !== 'opening'), ...openings.get(card_id) ?? []]
      card.tail = foldAsKnown(movements, observations, before.get(card_id)?.balance ?? null, asOf)
    }
  }
  return new Map(past.map(card => [card.cut.card_id, card]))
}

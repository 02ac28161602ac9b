import { movementOf, type Folded } from '../ledger/card.ts'
import { groupBy } from '../ledger/group.ts'
import type { Instant } from '../ledger/instant.ts'
import type { Movement } from '../ledger/movements.ts'
import { foldAsKnown, type AsOf } from '../ledger/time-travel.ts'
import type { Trx } from '../postgres/database.ts'
import { findBarelyKnown, findReobserved, readBefore, readKnownObservations, readReobserved, readUntouched, type Cut } from './lines.sql.ts'
import { readOpenings } from '../projections/cards/observations.sql.ts'

/** A card's history at a moment of the two clocks: live lines up to the cut, and what stands behind it instead. */
export interface Past {
  cut: Cut
  /** Undefined where the live lines say all. */
  tail: Folded | undefined
}

/**
 * Finds for each card how much of its live lines was already so, and folds the rest anew as it was known. Lines are in
 * order of time, so `at` only cuts; what was stored after `known_at` is taken out from the earliest moment it tells of. That costs
 * what stands behind the moment, never what stands before. Where more was stored later than before, all is folded from the
 * beginning instead, which costs what was known.
 */
export async function readPast (trx: Trx, card_ids: readonly string[], asOf: AsOf): Promise<Map<string, Past>> {
  const { at, known_at } = asOf
  const barely = known_at === null ? new Map<string, Instant>() : await findBarelyKnown(trx, card_ids, known_at)
  const reobserved = known_at === null ? new Map<string, Instant>() : await findReobserved(trx, card_ids.filter(card_id => !barely.has(card_id)), known_at)
  const past = card_ids.map((card_id): Past => {
    const from = barely.get(card_id) ?? reobserved.get(card_id) ?? null
    // What was told anew lies after the time asked for: nothing to see of it.
    return { cut: { card_id, from: at !== null && from !== null && from > at ? null : from, at }, tail: undefined }
  })
  const refolded = past.filter(({ cut }) => cut.from !== null)
  if (known_at !== null && refolded.length > 0) {
    const cuts = refolded.map(({ cut }) => cut)
    const mostly = cuts.filter(({ card_id }) => !barely.has(card_id))
    const kept = groupBy(await readUntouched(trx, mostly, known_at), ({ card_id }) => card_id)
    const observed = groupBy([
      ...await readReobserved(trx, mostly.map(({ card_id }) => card_id), known_at),
      ...await readKnownObservations(trx, cuts.map(({ card_id }) => card_id).filter(card_id => barely.has(card_id)), known_at)
    ], ({ card_id }) => card_id)
    const before = await readBefore(trx, cuts)
    const openings = groupBy(await readOpenings(trx, cuts.map(({ card_id }) => card_id), known_at), ({ card_id }) => card_id)
    for (const card of refolded) {
      const { card_id } = card.cut
      // What the card was made with can stand first again where what was told to come before was not known yet.
      const movements = (kept.get(card_id) ?? []).map(movementOf).filter(movement => movement !== undefined && movement.kind !== 'opening') as Movement[]
      const observations = [...(observed.get(card_id) ?? []).filter(({ kind }) => kind !== 'opening'), ...openings.get(card_id) ?? []]
      card.tail = foldAsKnown(movements, observations, before.get(card_id)?.balance ?? null, asOf)
    }
  }
  return new Map(past.map(card => [card.cut.card_id, card]))
}

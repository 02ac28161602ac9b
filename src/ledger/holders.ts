import { NOBODY } from './facts.ts'
import type { Instant } from './instant.ts'
import { compareText } from './text.ts'

/** An observation of who holds a card, or of who released it. */
export interface HolderObservation { customer_id: string, held: boolean, occurred_at: Instant }

/**
 * What must be kept of all observations to know the holder after any further one: the newest of each customer, of
 * either kind. A card's row keeps them in `holders`.
 */
export interface Holding { customer_id: string, held_at: Instant | null, released_at: Instant | null }

/** Adds observations. Commutative, associative and idempotent. */
export function addHolderObservations (holdings: readonly Holding[], observations: readonly HolderObservation[]): Holding[] {
  const byCustomer = new Map(holdings.map(holding => [holding.customer_id, { ...holding }]))
  for (const { customer_id, held, occurred_at } of observations) {
    const holding = byCustomer.get(customer_id) ?? { customer_id, held_at: null, released_at: null }
    const field = held ? 'held_at' : 'released_at'
    if (compareText(holding[field] ?? '', occurred_at) < 0) holding[field] = occurred_at
    byCustomer.set(customer_id, holding)
  }
  return [...byCustomer.values()].sort((a, b) => compareText(a.customer_id, b.customer_id))
}

/**
 * The holder of the card: the customer observed newest, unless a release of that customer is not older, or an
 * observation that nobody holds it; of two observed at the same moment the greater id. A release of someone else
 * changes nothing. Null: nobody, or nobody known.
 */
export function holderOf (holdings: readonly Holding[]): string | null {
  const observed = holdings.filter(({ held_at, customer_id }) => held_at !== null && customer_id !== NOBODY)
    .sort((a, b) => compareText(a.held_at ?? '', b.held_at ?? '') || compareText(a.customer_id, b.customer_id))
  const newest = observed.at(-1)
  if (newest === undefined || compareText(newest.released_at ?? '', newest.held_at ?? '') >= 0) return null
  const unheld_at = holdings.find(({ customer_id }) => customer_id === NOBODY)?.held_at ?? ''
  return compareText(newest.held_at ?? '', unheld_at) > 0 ? newest.customer_id : null
}

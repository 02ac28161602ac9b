import type { CardSighting } from '../ledger/facts.ts'
import { addTellings, holderOf, readHoldings, writeHoldings, type HolderTelling } from '../ledger/holders.ts'
import type { Instant } from '../ledger/instant.ts'
import type { Trx } from '../store/database.ts'
import type { CardRow, HolderTellingRow } from '../store/tables.ts'
import { addHolderTellings, addHoldings } from '../store/write-holders.ts'
import type { Told } from './projection.ts'

/** What a card's row keeps of its holders. */
type Kept = Pick<CardRow, 'customer_id' | 'holders'>

/** The tellings of one card's holder that card sightings make. */
export function holderTellings (sightings: readonly CardSighting[]): HolderTelling[] {
  return sightings.flatMap(({ holder_id, released_id, occurred_at }) => [
    ...(holder_id === undefined ? [] : [{ customer_id: holder_id, held: true, occurred_at }]),
    ...(released_id === undefined ? [] : [{ customer_id: released_id, held: false, occurred_at }])
  ])
}

/** A card's row after more tellings of who holds it. */
export function withHolders (row: Kept, tellings: readonly HolderTelling[]): Kept {
  if (tellings.length === 0) return { customer_id: row.customer_id, holders: row.holders }
  const holdings = addTellings(readHoldings(row.holders), tellings)
  return {
    customer_id: holderOf(holdings),
    holders: writeHoldings(holdings)
  }
}

/** Keeps what a question about an earlier holder needs: who ever held which card, and the tellings that stand in no other row. */
export async function keepHolders (trx: Trx, before: readonly CardRow[], told: ReadonlyArray<Told<CardSighting>>, elsewhere: ReadonlySet<string>): Promise<void> {
  const known = new Set(before.flatMap(row => readHoldings(row.holders).map(({ customer_id }) => `${row.card_id}\n${customer_id}`)))
  const tellings = told.flatMap(({ fact, event_id, subject, recorded_at }) =>
    holderTellings([fact]).map((telling): HolderTellingRow => ({ ...telling, card_id: fact.card_id, recorded_at, event_id, subject })))
  const fresh = tellings.filter(({ card_id, customer_id }) => !known.has(`${card_id}\n${customer_id}`))
  if (fresh.length > 0) await addHoldings(trx, fresh)
  const homeless = tellings.filter(telling => !elsewhere.has(placeOf(telling)))
  if (homeless.length > 0) await addHolderTellings(trx, homeless)
}

/** Where else a telling would stand: with a movement or pending points of the same event, card, holder and time. */
export function placeOf (telling: { card_id: string, customer_id: string | null, held: boolean, occurred_at: Instant, event_id: string, subject: string }): string {
  // None of these holds a control character.
  return `${telling.card_id}\n${telling.customer_id}\n${telling.held}\n${telling.occurred_at}\n${telling.event_id}\n${telling.subject}`
}

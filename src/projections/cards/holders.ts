import type { CardSighting } from '../../ledger/facts.ts'
import { addTellings, holderOf, readHoldings, writeHoldings, type HolderTelling } from '../../ledger/holders.ts'
import type { Trx } from '../../postgres/database.ts'
import type { CardRow, HolderTellingRow } from '../../postgres/tables.ts'
import { addHolderTellings, addHoldings } from './holders.sql.ts'
import type { Told } from '../../engine/projection.ts'

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

/** Who else than a card's own tellings says who held it: by event, since all of one event stand together. */
export type HeldElsewhere = ReadonlyMap<string, ReadonlyArray<Pick<HolderTellingRow, 'card_id' | 'occurred_at' | 'subject'> & { holder_id: string | null }>>

/** Keeps what a question about an earlier holder needs: who ever held which card, and the tellings that stand in no other row. */
export async function keepHolders (trx: Trx, before: readonly CardRow[], told: ReadonlyArray<Told<CardSighting>>, elsewhere: HeldElsewhere): Promise<void> {
  const known = new Map(before.map(({ card_id, holders }) => [card_id, readHoldings(holders).map(({ customer_id }) => customer_id)]))
  const fresh: HolderTellingRow[] = []
  const homeless: HolderTellingRow[] = []
  for (const { fact, event_id, subject, recorded_at } of told) {
    for (const { customer_id, held, occurred_at } of holderTellings([fact])) {
      const telling = { customer_id, held, occurred_at, card_id: fact.card_id, recorded_at, event_id, subject }
      if (known.get(fact.card_id)?.includes(customer_id) !== true) fresh.push(telling)
      if (!standsElsewhere(telling, elsewhere)) homeless.push(telling)
    }
  }
  if (fresh.length > 0) await addHoldings(trx, fresh)
  if (homeless.length > 0) await addHolderTellings(trx, homeless)
}

/** Does it stand with a movement or with pending points of the same event, card, holder and time? */
function standsElsewhere ({ card_id, customer_id, held, occurred_at, event_id, subject }: HolderTellingRow, elsewhere: HeldElsewhere): boolean {
  return held && elsewhere.get(event_id)?.some(other =>
    other.card_id === card_id && other.holder_id === customer_id && other.occurred_at === occurred_at && other.subject === subject) === true
}

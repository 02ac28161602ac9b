import { groupBy } from '../ledger/group-by.ts'
import { NOBODY } from '../ledger/facts.ts'
import { holderAmong, type AsOf } from '../ledger/as-of.ts'
import type { Trx } from '../postgres/database.ts'
import { listEverHeld, listObservedHolders, readHolderObservations } from './holders.sql.ts'
import type { ShownCard } from '../projections/cards/reads.sql.ts'
import type { CardRow } from '../postgres/tables.ts'

/**
 * The cards, as they are now, that a customer held at a past time. Cards without an observation by then are left out.
 */
export async function cardsHeldAt (trx: Trx, customer_id: string, asOf: AsOf): Promise<ShownCard[]> {
  const rows = await listEverHeld(trx, customer_id)
  const holders = await holdersAt(trx, rows, asOf)
  return rows.filter(({ card_id }) => holders.get(card_id) === customer_id)
}

/** Who held each card; cards without a holder then are left out. */
export async function holdersAt (trx: Trx, rows: readonly CardRow[], asOf: AsOf): Promise<Map<string, string>> {
  const holders = new Map<string, string>()
  const sole = new Map(rows.flatMap(({ card_id, holders }) => {
    const [only, ...others] = holders
    return only === undefined || only.customer_id === NOBODY || others.length > 0 || only.released_at !== null ? [] : [[card_id, only.customer_id]]
  }))
  // Most cards have had one holder: that customer holds them from the first observation on.
  for (const card_id of await listObservedHolders(trx, [...sole.keys()], asOf)) holders.set(card_id, sole.get(card_id) ?? '')

  const passed = rows.map(({ card_id }) => card_id).filter(card_id => !sole.has(card_id))
  for (const [card_id, observations] of groupBy(await readHolderObservations(trx, passed, asOf), ({ card_id }) => card_id)) {
    const holder = holderAmong(observations)
    if (holder !== null) holders.set(card_id, holder)
  }
  return holders
}

import { sql } from 'kysely'
import type { CardObservation } from '../../ledger/facts.ts'
import { addHolderObservations, holderOf, type HolderObservation } from '../../ledger/holders.ts'
import type { Trx } from '../../postgres/database.ts'
import { unnest } from '../../postgres/unnest.ts'
import type { CardRow, HolderObservationRow, HoldingRow } from '../../postgres/tables.ts'
import type { Observed } from '../../engine/projection.ts'

/** The columns of a card's row about its holders. */
type HolderColumns = Pick<CardRow, 'customer_id' | 'holders'>

/** The holder observations that observations of one card contain. */
export function holderObservations (observations: readonly CardObservation[]): HolderObservation[] {
  return observations.flatMap(({ holder_id, released_id, occurred_at }) => [
    ...(holder_id === undefined ? [] : [{ customer_id: holder_id, held: true, occurred_at }]),
    ...(released_id === undefined ? [] : [{ customer_id: released_id, held: false, occurred_at }])
  ])
}

/** The row's holder columns after further observations. */
export function withHolders (row: HolderColumns, observations: readonly HolderObservation[]): HolderColumns {
  if (observations.length === 0) return { customer_id: row.customer_id, holders: row.holders }
  const holdings = addHolderObservations(row.holders, observations)
  return { customer_id: holderOf(holdings), holders: holdings }
}

/**
 * Holders of cards that observations of movements and pending points name. They are grouped by event, since an
 * observation of a card is compared only with those of the same event.
 */
export type HeldElsewhere = ReadonlyMap<string, ReadonlyArray<Pick<HolderObservationRow, 'card_id' | 'occurred_at' | 'subject'> & { holder_id: string | null }>>

/**
 * Stores what a question about an earlier holder needs: which customer ever held which card, and the holder
 * observations that are in no other row.
 */
export async function keepHolders (trx: Trx, before: readonly CardRow[], observed: ReadonlyArray<Observed<CardObservation>>, elsewhere: HeldElsewhere): Promise<void> {
  const known = new Map(before.map(({ card_id, holders }) => [card_id, holders.map(({ customer_id }) => customer_id)]))
  const fresh: HolderObservationRow[] = []
  const unstored: HolderObservationRow[] = []
  for (const { fact, event_id, subject, recorded_at } of observed) {
    for (const { customer_id, held, occurred_at } of holderObservations([fact])) {
      const observation = { customer_id, held, occurred_at, card_id: fact.card_id, recorded_at, event_id, subject }
      if (known.get(fact.card_id)?.includes(customer_id) !== true) fresh.push(observation)
      if (!isStoredElsewhere(observation, elsewhere)) unstored.push(observation)
    }
  }
  if (fresh.length > 0) await addHoldings(trx, fresh)
  if (unstored.length > 0) await insertHolderObservations(trx, unstored)
}

/** True if a movement or pending points of the same event, card, holder and time carry the same observation. */
function isStoredElsewhere ({ card_id, customer_id, held, occurred_at, event_id, subject }: HolderObservationRow, elsewhere: HeldElsewhere): boolean {
  return held && elsewhere.get(event_id)?.some(other =>
    other.card_id === card_id && other.holder_id === customer_id && other.occurred_at === occurred_at && other.subject === subject) === true
}

/** Stores who ever held which card. */
async function addHoldings (trx: Trx, holdings: readonly HoldingRow[]): Promise<void> {
  await sql`
    insert into holdings (customer_id, card_id)
    select customer_id, card_id from ${unnest(holdings, { customer_id: 'text', card_id: 'text' })}
    on conflict do nothing`.execute(trx)
}

/** Stores observations of holders; a known one stays as it is. */
async function insertHolderObservations (trx: Trx, observations: readonly HolderObservationRow[]): Promise<void> {
  await sql`
    insert into holder_observations (card_id, customer_id, held, occurred_at, recorded_at, event_id, subject)
    select card_id, customer_id, held, occurred_at, recorded_at, event_id, subject
    from ${unnest(observations, {
      card_id: 'text',
      customer_id: 'text',
      held: 'boolean',
      occurred_at: 'timestamptz',
      recorded_at: 'timestamptz',
      event_id: 'text',
      subject: 'text'
    })}
    on conflict do nothing`.execute(trx)
}

import { sql } from 'kysely'
import type { Trx } from '../../postgres/database.ts'
import { unnest } from '../../postgres/unnest.ts'
import type { HolderObservationRow, HoldingRow } from '../../postgres/tables.ts'

/** Stores who ever held which card. */
export async function addHoldings (trx: Trx, holdings: readonly HoldingRow[]): Promise<void> {
  await sql`
    insert into holdings (customer_id, card_id)
    select customer_id, card_id from ${unnest(holdings, { customer_id: 'text', card_id: 'text' })}
    on conflict do nothing`.execute(trx)
}

/** Stores observations of holders; a known one stays as it is. */
export async function insertHolderObservations (trx: Trx, observations: readonly HolderObservationRow[]): Promise<void> {
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

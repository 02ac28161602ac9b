import { sql } from 'kysely'
import type { Trx } from '../../postgres/database.ts'
import { recordset } from '../../postgres/unnest.ts'
import type { HolderTellingRow, HoldingRow } from '../../postgres/tables.ts'

/** Notes who was told to hold which card. */
export async function addHoldings (trx: Trx, holdings: readonly HoldingRow[]): Promise<void> {
  await sql`
    insert into holdings (customer_id, card_id)
    select customer_id, card_id from ${recordset(holdings, { customer_id: 'text', card_id: 'text' })}
    on conflict do nothing`.execute(trx)
}

/** Keeps tellings of holders; one that is known stays as it is. */
export async function addHolderTellings (trx: Trx, tellings: readonly HolderTellingRow[]): Promise<void> {
  await sql`
    insert into holder_tellings (card_id, customer_id, held, occurred_at, recorded_at, event_id, subject)
    select card_id, customer_id, held, occurred_at, recorded_at, event_id, subject
    from ${recordset(tellings, {
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

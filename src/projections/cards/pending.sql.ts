import { sql } from 'kysely'
import type { Trx } from '../../postgres/database.ts'
import { unnest } from '../../postgres/unnest.ts'
import type { PendingObservationRow } from '../../postgres/tables.ts'

/** What is stored of some lots of pending points. */
export async function readLots (trx: Trx, lots: ReadonlyArray<Pick<PendingObservationRow, 'card_id' | 'pending_id'>>): Promise<PendingObservationRow[]> {
  const { rows } = await sql<PendingObservationRow>`
    select p.*
    from (select distinct card_id, pending_id from ${unnest(lots, { card_id: 'text', pending_id: 'text' })}) lot
    join pending_observations p on p.card_id = lot.card_id and p.pending_id = lot.pending_id`.execute(trx)
  return rows
}

/** Keeps observed states of lots; a known one stays as it is. */
export async function addPendingObservations (trx: Trx, observations: readonly PendingObservationRow[]): Promise<void> {
  await sql`
    insert into pending_observations
      (pending_id, card_id, event_id, subject, state, points, activates_on, occurred_at, recorded_at, order_id, earning_rule_id, holder_id)
    select pending_id, card_id, event_id, subject, state, points, activates_on, occurred_at, recorded_at, order_id, earning_rule_id, holder_id
    from ${unnest(observations, {
      pending_id: 'text',
      card_id: 'text',
      event_id: 'text',
      subject: 'text',
      state: 'text',
      points: 'bigint',
      activates_on: 'date',
      occurred_at: 'timestamptz',
      recorded_at: 'timestamptz',
      order_id: 'text',
      earning_rule_id: 'text',
      holder_id: 'text'
    })}
    on conflict do nothing`.execute(trx)
}

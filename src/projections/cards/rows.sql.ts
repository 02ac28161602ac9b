import { sql } from 'kysely'
import type { Trx } from '../../postgres/database.ts'
import { lockOrInsert } from '../../postgres/lock-or-insert.ts'
import { unnest } from '../../postgres/unnest.ts'
import type { CardRow } from '../../postgres/tables.ts'

/**
 * Locks the rows of cards in key order, and inserts the missing ones: a card that changed holder is observed in two
 * shards.
 */
export async function lockCards (trx: Trx, ids: readonly string[]): Promise<CardRow[]> {
  return await lockOrInsert(ids, ({ card_id }) => card_id, async ids => await selectCards(trx, ids), async missing => {
    await sql`
      insert into cards
        (card_id, field_times, holders, balance, opening, earned, spent, refunded, expired, adjusted, transferred, unexplained, pending,
         pending_unexplained, movements)
      select id, '{}', '[]', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 from unnest(${missing}::text[]) as t (id) order by id collate "C"
      on conflict do nothing`.execute(trx)
  })
}

async function selectCards (trx: Trx, ids: readonly string[]): Promise<CardRow[]> {
  return await trx.selectFrom('cards').selectAll()
    .where('card_id', '=', sql<string>`any (${ids}::text[])`)
    .orderBy('card_id')
    .forUpdate()
    .execute()
}

/** Writes the card rows. */
export async function updateCards (trx: Trx, rows: readonly CardRow[]): Promise<void> {
  await sql`
    update cards c
    set code = r.code, campaign_id = r.campaign_id, campaign = r.campaign, customer_id = r.customer_id, active = r.active,
        deleted_at = r.deleted_at, field_times = r.field_times, holders = r.holders,
        balance = r.balance, opening = r.opening, earned = r.earned, spent = r.spent, refunded = r.refunded, expired = r.expired,
        adjusted = r.adjusted, transferred = r.transferred, unexplained = r.unexplained, pending = r.pending, pending_unexplained = r.pending_unexplained,
        movements = r.movements, first_movement_at = r.first_movement_at, last_movement_at = r.last_movement_at, balance_stated_at = r.balance_stated_at
    from ${unnest(rows, {
      card_id: 'text',
      code: 'text',
      campaign_id: 'text',
      campaign: 'text',
      customer_id: 'text',
      active: 'boolean',
      deleted_at: 'timestamptz',
      field_times: 'jsonb',
      holders: 'jsonb',
      balance: 'numeric',
      opening: 'numeric',
      earned: 'numeric',
      spent: 'numeric',
      refunded: 'numeric',
      expired: 'numeric',
      adjusted: 'numeric',
      transferred: 'numeric',
      unexplained: 'numeric',
      pending: 'numeric',
      pending_unexplained: 'numeric',
      movements: 'bigint',
      first_movement_at: 'timestamptz',
      last_movement_at: 'timestamptz',
      balance_stated_at: 'timestamptz'
    })}
    where c.card_id = r.card_id`.execute(trx)
}

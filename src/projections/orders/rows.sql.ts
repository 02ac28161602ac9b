import { sql } from 'kysely'
import type { OrderState } from '../../ledger/orders.ts'
import type { Trx } from '../../postgres/database.ts'
import { unnest } from '../../postgres/unnest.ts'

/** A state to store. `newest`: of its order, among the states that are stored together. */
export interface KeptState extends OrderState { newest: boolean }

const STATE_COLUMNS = {
  order_id: 'text',
  updated_at: 'timestamptz',
  status_rank: 'smallint',
  state_digest: 'bytea',
  status: 'text',
  customer_id: 'text',
  source_id: 'text',
  amount: 'bigint',
  initial_amount: 'bigint',
  discount_amount: 'bigint',
  items_discount_amount: 'bigint',
  total_discount_amount: 'bigint',
  total_amount: 'bigint',
  items: 'text',
  metadata: 'text',
  created_at: 'timestamptz',
  recorded_at: 'timestamptz',
  event_id: 'text',
  subject: 'text',
  newest: 'boolean'
} as const

/**
 * Stores states, each with its earliest observation, and writes the newest state of each order to the order itself: by
 * (updated_at, status_rank, state_digest). One statement, since both are made of nearly the same values, and those are
 * most of what a step sends.
 */
export async function writeOrders (trx: Trx, states: readonly KeptState[]): Promise<void> {
  await sql`
    with observed as materialized (
      select order_id, updated_at, status_rank, state_digest, status, customer_id, source_id,
             amount, initial_amount, discount_amount, items_discount_amount, total_discount_amount, total_amount,
             items::json as items, metadata::json as metadata, created_at, recorded_at, event_id, subject, newest
      from ${unnest(states, STATE_COLUMNS)}
    ), kept as (
      insert into order_states as s
        (order_id, updated_at, status_rank, state_digest, status, customer_id, source_id, amount, initial_amount, discount_amount,
         items_discount_amount, total_discount_amount, total_amount, items, metadata, created_at, recorded_at, event_id, subject)
      select order_id, updated_at, status_rank, state_digest, status, customer_id, source_id, amount, initial_amount, discount_amount,
             items_discount_amount, total_discount_amount, total_amount, items, metadata, created_at, recorded_at, event_id, subject
      from observed
      on conflict (order_id, updated_at, status_rank, state_digest) do update
      set recorded_at = excluded.recorded_at, event_id = excluded.event_id, subject = excluded.subject
      where (excluded.recorded_at, excluded.event_id, excluded.subject) < (s.recorded_at, s.event_id, s.subject)
    )
    insert into orders as o
      (order_id, customer_id, source_id, status, amount, initial_amount, discount_amount, items_discount_amount,
       total_discount_amount, total_amount, items, metadata, created_at, updated_at, placed_at, status_rank, state_digest)
    select order_id, customer_id, source_id, status, amount, initial_amount, discount_amount, items_discount_amount,
           total_discount_amount, total_amount, items, metadata, created_at, updated_at, coalesce(created_at, updated_at),
           status_rank, state_digest
    from observed
    where newest
    on conflict (order_id) do update
    set customer_id = excluded.customer_id, source_id = excluded.source_id, status = excluded.status, amount = excluded.amount,
        initial_amount = excluded.initial_amount, discount_amount = excluded.discount_amount,
        items_discount_amount = excluded.items_discount_amount, total_discount_amount = excluded.total_discount_amount,
        total_amount = excluded.total_amount, items = excluded.items, metadata = excluded.metadata, created_at = excluded.created_at,
        updated_at = excluded.updated_at, placed_at = excluded.placed_at, status_rank = excluded.status_rank, state_digest = excluded.state_digest
    where (excluded.updated_at, excluded.status_rank, excluded.state_digest) > (o.updated_at, o.status_rank, o.state_digest)`.execute(trx)
}

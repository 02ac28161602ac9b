import { sql } from 'kysely'
import type { Trx } from '../../postgres/database.ts'
import { lockOrInsert } from '../../postgres/lock-or-insert.ts'
import { unnest } from '../../postgres/unnest.ts'
import type { CustomerRow } from '../../postgres/tables.ts'

/**
 * Locks the rows of customers in key order, and inserts the missing ones: another shard can state something about the
 * same customer.
 */
export async function lockCustomers (trx: Trx, ids: readonly string[]): Promise<CustomerRow[]> {
  return await lockOrInsert(ids, ({ customer_id }) => customer_id, async ids => await selectCustomers(trx, ids), async missing => {
    await sql`
      insert into customers (customer_id, field_times)
      select id, '{}' from unnest(${missing}::text[]) as t (id) order by id collate "C"
      on conflict do nothing`.execute(trx)
  })
}

async function selectCustomers (trx: Trx, ids: readonly string[]): Promise<CustomerRow[]> {
  return await trx.selectFrom('customers').selectAll()
    .where('customer_id', '=', sql<string>`any (${ids}::text[])`)
    .orderBy('customer_id')
    .forUpdate()
    .execute()
}

/** Writes the customer rows. */
export async function updateCustomers (trx: Trx, rows: readonly CustomerRow[]): Promise<void> {
  await sql`
    update customers c
    set source_id = r.source_id, name = r.name, email = r.email, metadata = r.metadata::json, deleted_at = r.deleted_at,
        field_times = r.field_times, first_seen_at = r.first_seen_at, last_seen_at = r.last_seen_at
    from ${unnest(rows, {
      customer_id: 'text',
      source_id: 'text',
      name: 'text',
      email: 'text',
      metadata: 'text',
      deleted_at: 'timestamptz',
      field_times: 'jsonb',
      first_seen_at: 'timestamptz',
      last_seen_at: 'timestamptz'
    })}
    where c.customer_id = r.customer_id`.execute(trx)
}

import { sql } from 'kysely'
import type { Db } from './database.ts'
import type { OrderRow, OrderStateRow } from './tables.ts'

/** A customer's orders, newest first by when they were placed. `before` names the last one of the page before. */
export async function listOrders (
  db: Db, customer_id: string, page: { status?: string | undefined, before?: { placed_at: string, order_id: string } | undefined, limit: number }
): Promise<OrderRow[]> {
  const { status, before, limit } = page
  return await db.selectFrom('orders').selectAll()
    .where('customer_id', '=', customer_id)
    .$if(status !== undefined, query => query.where('status', '=', status as string))
    .$if(before !== undefined, query => query.where(sql<boolean>`(placed_at, order_id) < (${before?.placed_at}::timestamptz, ${before?.order_id})`))
    .orderBy('placed_at', 'desc').orderBy('order_id', 'desc').limit(limit)
    .execute()
}

/** An order in its newest state. */
export async function findOrder (db: Db, order_id: string): Promise<OrderRow | undefined> {
  return await db.selectFrom('orders').selectAll().where('order_id', '=', order_id).executeTakeFirst()
}

/** Every state an order was observed in, oldest first. */
export async function listOrderStates (db: Db, order_id: string): Promise<OrderStateRow[]> {
  return await db.selectFrom('order_states').selectAll()
    .where('order_id', '=', order_id)
    .orderBy('updated_at').orderBy('status_rank').orderBy('state_digest')
    .execute()
}

import { sql } from 'kysely'
import type { Db } from '../../postgres/database.ts'
import type { Standstill } from '../../engine/parking/parked.sql.ts'
import type { OrderRow, OrderStateRow } from '../../postgres/tables.ts'

/** An order as people read it. */
export type ShownOrder = OrderRow & Standstill

function shownOrders (db: Db) {
  return db.selectFrom('orders as o')
    .leftJoin('parked as p', join => join.on('p.projection', '=', 'orders').on('p.key', '=', sql<string>`'order:' || o.order_id`))
    .selectAll('o').select('p.parked_at')
}

/** A customer's orders, newest first by when they were placed. `before` names the last one of the page before. */
export async function listOrders (
  db: Db, customer_id: string, page: { status?: string | undefined, before?: { placed_at: string, order_id: string } | undefined, limit: number }
): Promise<ShownOrder[]> {
  const { status, before, limit } = page
  return await shownOrders(db)
    .where('o.customer_id', '=', customer_id)
    .$if(status !== undefined, query => query.where('o.status', '=', status as string))
    .$if(before !== undefined, query => query.where(sql<boolean>`(o.placed_at, o.order_id) < (${before?.placed_at}::timestamptz, ${before?.order_id})`))
    .orderBy('o.placed_at', 'desc').orderBy('o.order_id', 'desc').limit(limit)
    .execute()
}

/** An order in its newest state. */
export async function findOrder (db: Db, order_id: string): Promise<ShownOrder | undefined> {
  return await shownOrders(db).where('o.order_id', '=', order_id).executeTakeFirst()
}

/** Every state an order was observed in, oldest first. */
export async function listOrderStates (db: Db, order_id: string): Promise<OrderStateRow[]> {
  return await db.selectFrom('order_states').selectAll()
    .where('order_id', '=', order_id)
    .orderBy('updated_at').orderBy('status_rank').orderBy('state_digest')
    .execute()
}

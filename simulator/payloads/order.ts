import { written } from '../clock.ts'
import type { ProviderEvent, Stamp } from '../event.ts'
import type { OrderStatus } from '../facts.ts'
import { joined } from '../keys.ts'
import type { OrderState } from '../model.ts'
import { customerObject, orderObject } from './objects.ts'
import { customerFact, orderFact } from './embedded-facts.ts'

const TYPE: Record<OrderStatus, string> = {
  CREATED: 'customer.order.created',
  PAID: 'customer.order.paid',
  FULFILLED: 'customer.order.updated',
  CANCELED: 'customer.order.canceled'
}

/** One state of an order. A change that leaves it CREATED is an update; there is no event of its own for FULFILLED. */
export function orderEvent (stamp: Stamp, order: OrderState): ProviderEvent {
  const changed = order.status === 'CREATED' && order.updated_at - order.created_at > 1_000_000
  return {
    ...stamp,
    type: changed ? 'customer.order.updated' : TYPE[order.status],
    customer_id: order.customer.id,
    subject: joined('order', order.id),
    routes: ['distribution', 'bare', 'v2018'],
    bare_id: `${joined('order', order.id, order.status)}:${written(order.updated_at)}`,
    payload: () => ({
      customer: customerObject(order.customer),
      referrer: null,
      order: orderObject(order),
      redemption: null
    }),
    archived: () => ({ object: orderObject(order), related_object: customerObject(order.customer) }),
    facts: () => [orderFact(order), customerFact(order.customer, order.updated_at)],
    contradictions: [() => orderEvent(stamp, { ...order, amount: order.amount + 100 })]
  }
}

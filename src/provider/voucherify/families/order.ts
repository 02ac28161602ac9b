import { Type } from '@sinclair/typebox'
import type { Envelope } from '../envelope.ts'
import { naturalKey } from '../ids.ts'
import { isObject, type JsonObject } from '../json.ts'
import { Customer, people } from '../objects/customer.ts'
import { Order, orderCore, orderSighting } from '../objects/order.ts'
import { maybe, reader, UnreadablePayload } from '../objects/schema.ts'
import { optionalId } from '../objects/values.ts'
import type { Family, Reading } from './family.ts'

const readOrderEvent = reader(Type.Object({
  customer: maybe(Customer),
  order: Order
}))

// Bare data has no type: the state says which event it must have been. FULFILLED has none of its own.
const TYPE_OF_STATUS = new Map([
  ['CREATED', 'customer.order.created'],
  ['PAID', 'customer.order.paid'],
  ['CANCELED', 'customer.order.canceled']
])

/** One observed state of an order. */
export const order: Family = {
  types: ['customer.order.created', 'customer.order.updated', 'customer.order.paid', 'customer.order.canceled'],
  recognises: (data: JsonObject) => isObject(data.order) && !isObject(data.event) && !isObject(data.transaction) && !isObject(data.pending_points) &&
    // A redemption's payload holds an order too, but it is about the redemption.
    !('holder' in data) && !('promotion_stack' in data) &&
    ('referrer' in data || (!isObject(data.voucher) && !isObject(data.redemption))),
  read
}

function read (envelope: Envelope): Reading {
  const data = readOrderEvent(envelope.data)
  const sighting = orderSighting(data.order, optionalId(data.customer?.id, 'customer.id'), envelope.occurred_at)
  const { order_id, customer_id, status } = sighting
  if (customer_id === null) throw new UnreadablePayload('data.customer.id: neither customer nor order says whose order this is')
  const updated = data.order.updated_at ?? data.order.created_at ?? sighting.updated_at
  return {
    bare: {
      event_id: `${naturalKey('order', order_id, status)}:${updated}`,
      type: TYPE_OF_STATUS.get(status) ?? 'customer.order.updated'
    },
    subject: naturalKey('order', order_id),
    customer_id,
    occurred_at: sighting.updated_at,
    facts: [sighting, ...people(sighting.updated_at, [data.customer], [customer_id])],
    core: { customer: customer_id, ...orderCore(sighting) },
    ids: [order_id, customer_id]
  }
}

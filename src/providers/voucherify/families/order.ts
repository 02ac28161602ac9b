import { Type } from '@sinclair/typebox'
import type { Envelope } from '../wire/envelope.ts'
import { naturalKey } from '../wire/ids.ts'
import { isObject, type JsonObject } from '../wire/json.ts'
import { Customer, people } from '../payloads/customer.ts'
import { Order, orderCore, orderObservation } from '../payloads/order.ts'
import { maybe, reader, UnreadablePayload } from '../payloads/decoder.ts'
import { optionalId, timeText } from '../payloads/values.ts'
import type { Family, Reading } from './family.ts'

const readOrderEvent = reader(Type.Object({
  customer: maybe(Customer),
  order: Order
}))

// Bare data has no type: the order's status shows which event it was. FULFILLED has no event of its own.
const TYPE_OF_STATUS = new Map([
  ['CREATED', 'customer.order.created'],
  ['PAID', 'customer.order.paid'],
  ['CANCELED', 'customer.order.canceled']
])

// And the reverse: the order in such an event need not repeat its status.
const STATUS_OF_TYPE = new Map([...TYPE_OF_STATUS].map(([status, type]) => [type, status]))

/** One observed state of an order. */
export const order: Family = {
  types: ['customer.order.created', 'customer.order.updated', 'customer.order.paid', 'customer.order.canceled'],
  recognises,
  read
}

/**
 * The payload of a redemption holds an order, too, but is about the redemption. The payload of an order can hold the
 * redemption that paid for it.
 */
function recognises (data: JsonObject): boolean {
  if (!isObject(data.order) || ['event', 'transaction', 'pending_points'].some(name => isObject(data[name]))) return false
  if ('holder' in data || 'promotion_stack' in data) return false
  if ('referrer' in data) return true
  return isObject(data.redemption) ? !('date' in data.redemption) : !isObject(data.voucher)
}

function read (envelope: Envelope): Reading {
  const data = readOrderEvent(envelope.data)
  const status = data.order.status ?? STATUS_OF_TYPE.get(String(envelope.type))
  const observation = orderObservation(status === undefined ? data.order : { ...data.order, status }, optionalId(data.customer?.id, 'customer.id'), envelope.occurred_at)
  const { order_id, customer_id } = observation
  if (customer_id === null) throw new UnreadablePayload('data.customer.id: neither customer nor order says whose order this is')
  const updated = timeText(data.order.updated_at, data.order.created_at) ?? observation.updated_at
  return {
    bare: {
      event_id: `${naturalKey('order', order_id, observation.status)}:${updated}`,
      type: TYPE_OF_STATUS.get(observation.status) ?? 'customer.order.updated'
    },
    subject: naturalKey('order', order_id),
    customer_id,
    occurred_at: observation.updated_at,
    facts: [observation, ...people(observation.updated_at, [data.customer], [customer_id])],
    core: { customer: customer_id, ...orderCore(observation) },
    ids: [order_id, customer_id]
  }
}

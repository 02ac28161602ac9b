import { Type, type Static } from '@sinclair/typebox'
import type { OrderSighting } from '../../../ledger/facts.ts'
import { Customer } from './customer.ts'
import { digest, exact, exactInteger, maybe, reader, UnreadablePayload, type Core } from './schema.ts'
import { jsonText, optionalId, optionalInstant, optionalText, requiredId, requiredInstant, toMilliseconds } from './values.ts'

const Amount = maybe(exactInteger())

export const Order = Type.Object({
  id: maybe(Type.String()),
  source_id: maybe(Type.String()),
  status: maybe(Type.String()),
  amount: Amount,
  initial_amount: Amount,
  discount_amount: Amount,
  items_discount_amount: Amount,
  total_discount_amount: Amount,
  total_amount: Amount,
  items: maybe(Type.Array(Type.Unknown())),
  metadata: maybe(Type.Record(Type.String(), Type.Unknown())),
  created_at: maybe(Type.String()),
  updated_at: maybe(Type.String()),
  customer_id: maybe(Type.String()),
  customer: maybe(Customer)
})
export type Order = Static<typeof Order>
const readOrder = reader(Order)

/**
 * The state an order object shows. `updated_at`, else `created_at`, else the time of the telling event dates it. What describes
 * the state, and the digest over all of it, is made when it is asked for: who only names an event does not, and it is two
 * thirds of the work.
 * @param customerId whose order it is when the order itself does not say
 */
export function orderSighting (order: Order, customerId: string | null, toldAt?: unknown): OrderSighting {
  const created_at = optionalInstant('data.order.created_at', order.created_at)
  const state = {
    order_id: requiredId(order.id, 'order.id'),
    customer_id: optionalId(order.customer_id, 'order.customer_id') ?? optionalId(order.customer?.id, 'order.customer.id') ?? customerId,
    source_id: optionalText(order.source_id),
    status: requiredId(order.status, 'order.status'),
    amount: exact(order.amount),
    initial_amount: exact(order.initial_amount),
    discount_amount: exact(order.discount_amount),
    items_discount_amount: exact(order.items_discount_amount),
    total_discount_amount: exact(order.total_discount_amount),
    total_amount: exact(order.total_amount),
    created_at,
    updated_at: requiredInstant('data.order.updated_at', order.updated_at, order.created_at, toldAt)
  }
  const { created_at: _, updated_at: __, ...amounts } = state
  let description: Description | undefined
  function described (): Description {
    description ??= describe(order, Object.values(amounts), [state.created_at, state.updated_at])
    return description
  }
  return {
    fact: 'order',
    ...state,
    get items () { return described().items },
    get metadata () { return described().metadata },
    get state_digest () { return described().state_digest }
  }
}

type Description = Pick<OrderSighting, 'items' | 'metadata' | 'state_digest'>

/** The digest is over the fields of a sighting, in their order. */
function describe (order: Order, before: ReadonlyArray<string | bigint | null>, after: ReadonlyArray<string | null>): Description {
  const items = jsonText(order.items)
  const metadata = jsonText(order.metadata)
  return { items, metadata, state_digest: digest([...before, items, metadata, ...after]) }
}

/**
 * An order inside another event is an observation of that order, when it says which state it is in and since when. One that
 * cannot be read is none: what it stands beside counts all the same.
 */
export function observedOrder (beside: unknown, customerId: string | null): OrderSighting[] {
  try {
    const order = readOrder(beside)
    return order.id && order.status && order.updated_at ? [orderSighting(order, customerId)] : []
  } catch (error) {
    if (error instanceof UnreadablePayload) return []
    throw error
  }
}

/**
 * Of an order's state what two honest sends of one event agree on: which order, which state, how much. Items and metadata
 * describe; senders may show more or less of them. A discount of 0 is one that is absent.
 */
export function orderCore (order: OrderSighting): Core {
  const discount = (amount: bigint | null): bigint | null => amount === 0n ? null : amount
  return {
    order: order.order_id,
    order_source_id: order.source_id === '' ? null : order.source_id,
    order_status: order.status,
    order_updated_at: toMilliseconds(order.updated_at),
    order_amount: order.amount,
    order_total_amount: order.total_amount,
    order_discount_amount: discount(order.discount_amount),
    order_items_discount_amount: discount(order.items_discount_amount),
    order_total_discount_amount: discount(order.total_discount_amount)
  }
}

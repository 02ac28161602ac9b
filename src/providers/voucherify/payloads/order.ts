import { Type, type Static } from '@sinclair/typebox'
import type { Fact, OrderObservation } from '../../../ledger/facts.ts'
import type { Instant } from '../../../ledger/instant.ts'
import { Customer } from './customer.ts'
import { Described, digest, exact, exactInteger, maybe, reader, UnreadablePayload, type Core } from './decoder.ts'
import { jsonText, optionalId, optionalInstant, requiredId, requiredInstant, textIn, toMilliseconds } from './values.ts'

const Amount = maybe(exactInteger())

export const Order = Type.Object({
  id: maybe(Type.String()),
  source_id: Described,
  status: maybe(Type.String()),
  amount: Amount,
  initial_amount: Amount,
  discount_amount: Amount,
  items_discount_amount: Amount,
  total_discount_amount: Amount,
  total_amount: Amount,
  items: maybe(Type.Array(Type.Unknown())),
  metadata: maybe(Type.Record(Type.String(), Type.Unknown())),
  created_at: Described,
  updated_at: Described,
  customer_id: maybe(Type.String()),
  customer: maybe(Customer)
})
export type Order = Static<typeof Order>
const readOrder = reader(Order)

/**
 * The state that an order object shows, as of its `updated_at`, else its `created_at`, else the time of the event.
 * @param customerId whose order it is when the order itself does not say
 */
export function orderObservation (order: Order, customerId: string | null, observedAt?: unknown): OrderObservation {
  return new ShownState(order, customerId, observedAt)
}

type Description = Pick<OrderObservation, 'items' | 'metadata' | 'state_digest'>

/**
 * The description of the state and the digest over it are made on demand: identifying an event does not need them, and
 * they are two thirds of the work. A class, because getters in an object literal give each object a hidden class of its
 * own, which outlives the object and keeps the whole payload until the old generation is collected.
 */
class ShownState implements OrderObservation {
  readonly fact = 'order'
  readonly order_id: string
  readonly customer_id: string | null
  readonly source_id: string | null
  readonly status: string
  readonly amount: bigint | null
  readonly initial_amount: bigint | null
  readonly discount_amount: bigint | null
  readonly items_discount_amount: bigint | null
  readonly total_discount_amount: bigint | null
  readonly total_amount: bigint | null
  readonly created_at: Instant | null
  readonly updated_at: Instant
  /** As in the payload, which is large: only until the description is made. */
  #described: { items?: unknown, metadata?: unknown }
  #description: Description | undefined

  constructor (order: Order, customerId: string | null, observedAt: unknown) {
    this.created_at = optionalInstant(order.created_at)
    this.order_id = requiredId(order.id, 'order.id')
    this.customer_id = optionalId(order.customer_id, 'order.customer_id') ?? optionalId(order.customer?.id, 'order.customer.id') ?? customerId
    this.source_id = textIn(order, 'source_id') ?? null
    this.status = requiredId(order.status, 'order.status')
    this.amount = exact(order.amount)
    this.initial_amount = exact(order.initial_amount)
    this.discount_amount = exact(order.discount_amount)
    this.items_discount_amount = exact(order.items_discount_amount)
    this.total_discount_amount = exact(order.total_discount_amount)
    this.total_amount = exact(order.total_amount)
    this.updated_at = requiredInstant('data.order.updated_at', order.updated_at, order.created_at, observedAt)
    this.#described = { items: order.items, metadata: order.metadata }
  }

  get items (): string | null { return this.describe().items }
  get metadata (): string | null { return this.describe().metadata }
  get state_digest (): string { return this.describe().state_digest }

  describe (): Description {
    if (this.#description === undefined) {
      const items = jsonText(this.#described.items)
      const metadata = jsonText(this.#described.metadata)
      this.#description = { items, metadata, state_digest: this.#digest(items, metadata) }
      this.#described = {}
    }
    return this.#description
  }

  /**
   * Over the fields of the observation, in their order, after how many of them it states: of two states with one time
   * and status the greater digest wins, and a row of an export, which has no items, must not hide those of an event.
   */
  #digest (items: string | null, metadata: string | null): string {
    const fields = [
      this.order_id, this.customer_id, this.source_id, this.status, this.amount, this.initial_amount, this.discount_amount,
      this.items_discount_amount, this.total_discount_amount, this.total_amount, items, metadata, this.created_at, this.updated_at
    ]
    let stated = 0
    for (const field of fields) if (field !== null) stated++
    return stated.toString(16).padStart(2, '0') + digest(fields).slice(2)
  }
}

/** Makes the description of a state now: until then the state keeps its payload in memory. */
export function describeNow (fact: Fact): void {
  if (fact instanceof ShownState) fact.describe()
}

/**
 * An order inside another event is an observation of that order if it states its status and its time. A fresh order has
 * no `updated_at` yet: it is as of its `created_at`. A project's webhooks bring no other orders than these. One that
 * cannot be read is ignored: the rest of the event counts all the same.
 */
export function observedOrder (beside: unknown, customerId: string | null): OrderObservation[] {
  try {
    const order = readOrder(beside)
    return order.id && order.status && optionalInstant(order.updated_at, order.created_at) !== null ? [orderObservation(order, customerId)] : []
  } catch (error) {
    if (error instanceof UnreadablePayload) return []
    throw error
  }
}

/**
 * The part of an order's state on which two honest sends of one event agree: which order, which status, which amounts.
 * Items and metadata only describe: senders may include more or less of them. A discount of 0 equals an absent one.
 */
export function orderCore (order: OrderObservation): Core {
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

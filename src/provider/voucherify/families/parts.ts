import { Type, type Static } from '@sinclair/typebox'
import type { CustomerSighting, OrderSighting } from '../../../ledger/facts.ts'
import { parseInstant, type Instant } from '../../../ledger/instant.ts'
import { isUsableId, storableText } from '../ids.ts'
import { canonical, storable, type Json } from '../json.ts'
import { digest, exact, exactInteger, maybe, UnreadablePayload } from './family.ts'

/** Objects that payloads of many families hold. */

export const Metadata = Type.Record(Type.String(), Type.Unknown())

export const Customer = Type.Object({
  id: maybe(Type.String()),
  source_id: maybe(Type.String()),
  name: maybe(Type.String()),
  email: maybe(Type.String()),
  metadata: maybe(Metadata)
})

export const Card = Type.Object({
  id: maybe(Type.String()),
  code: maybe(Type.String()),
  campaign: maybe(Type.String()),
  campaign_id: maybe(Type.String()),
  holder_id: maybe(Type.String())
})

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
  metadata: maybe(Metadata),
  created_at: maybe(Type.String()),
  updated_at: maybe(Type.String()),
  customer_id: maybe(Type.String()),
  customer: maybe(Customer)
})

/** An id that identity or the fold cannot do without. */
export function requiredId (value: unknown, field: string): string {
  if (isUsableId(value)) return value
  throw new UnreadablePayload(`data.${field}: an id is needed here: text of 1 to 256 bytes without control characters`)
}

/** An id that may be missing. One that is there and cannot be stored is refused, not dropped. */
export function optionalId (value: unknown, field: string): string | null {
  return value === null || value === undefined || value === '' ? null : requiredId(value, field)
}

/** The first of several times that is there; a time that is there and unreadable is refused. */
export function requiredInstant (field: string, ...candidates: unknown[]): Instant {
  for (const candidate of candidates) {
    if (candidate === null || candidate === undefined) continue
    const instant = typeof candidate === 'string' ? parseInstant(candidate) : undefined
    if (instant === undefined) throw new UnreadablePayload(`${field}: not an RFC 3339 timestamp`)
    return instant
  }
  throw new UnreadablePayload(`${field}: a timestamp is needed here`)
}

/** What a customer object says of its customer; nothing when it does not say whose it is. */
export function customerSighting (customer: Static<typeof Customer> | null | undefined, occurred_at: Instant): CustomerSighting[] {
  if (customer === null || customer === undefined || customer.id === null || customer.id === undefined) return []
  const sighting: CustomerSighting = { fact: 'customer', customer_id: requiredId(customer.id, 'customer.id'), occurred_at, fields: {} }
  for (const field of ['source_id', 'name', 'email'] as const) {
    const value = customer[field]
    if (value !== undefined) sighting.fields[field] = value === null ? null : storableText(value)
  }
  if (customer.metadata !== undefined) sighting.fields.metadata = jsonText(customer.metadata)
  return [sighting]
}

/**
 * The state an order object shows. `updated_at`, else `created_at`, else the time of the telling event dates it.
 * @param customerId whose order it is when the order itself does not say
 */
export function orderSighting (order: Static<typeof Order>, customerId: string | null, toldAt?: unknown): OrderSighting {
  const created_at = order.created_at === null || order.created_at === undefined ? null : requiredInstant('data.order.created_at', order.created_at)
  const fields = {
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
    items: jsonText(order.items),
    metadata: jsonText(order.metadata),
    created_at,
    updated_at: requiredInstant('data.order.updated_at', order.updated_at, order.created_at, toldAt)
  }
  return { fact: 'order', ...fields, state_digest: digest(Object.values(fields)) }
}

/**
 * Of an order's state what two honest sends of one event agree on: which order, which state, how much. Items and metadata
 * describe; senders may show more or less of them. A discount of 0 is one that is absent.
 */
export function orderCore (order: OrderSighting): Array<string | bigint | null> {
  const discount = (amount: bigint | null): bigint | null => amount === 0n ? null : amount
  return [
    order.order_id, order.source_id === '' ? null : order.source_id, order.status, toMilliseconds(order.updated_at),
    order.amount, order.total_amount, discount(order.discount_amount), discount(order.items_discount_amount), discount(order.total_discount_amount)
  ]
}

/** Two sends may write one moment with three digits and with six. */
export function toMilliseconds (instant: Instant): string {
  return instant.slice(0, 23)
}

export function optionalText (value: string | null | undefined): string | null {
  return value === null || value === undefined ? null : storableText(value)
}

function jsonText (value: unknown): string | null {
  return value === null || value === undefined ? null : canonical(storable(value as Json))
}

import { Type, type Static } from '@sinclair/typebox'
import type { CardSighting, CustomerSighting, Fact, OrderSighting } from '../../../ledger/facts.ts'
import { parseInstant, type Instant } from '../../../ledger/instant.ts'
import { isUsableId, MAX_KEY_BYTES, naturalKey, storableText } from '../ids.ts'
import { canonical, storable, type Json } from '../json.ts'
import { digest, exact, exactInteger, maybe, UnreadablePayload, type Core } from './family.ts'

/** Objects that payloads of many families hold. */

export const Metadata = Type.Record(Type.String(), Type.Unknown())

/** Of an object only its id matters. */
export const Ref = Type.Object({ id: maybe(Type.String()) })

export const Customer = Type.Object({
  id: maybe(Type.String()),
  source_id: maybe(Type.String()),
  name: maybe(Type.String()),
  email: maybe(Type.String()),
  metadata: maybe(Metadata)
})
export type Customer = Static<typeof Customer>

/** A voucher; of the types there are, only LOYALTY_CARD holds points. */
export const Card = Type.Object({
  id: maybe(Type.String()),
  code: maybe(Type.String()),
  type: maybe(Type.String()),
  campaign: maybe(Type.String()),
  campaign_id: maybe(Type.String()),
  holder_id: maybe(Type.String()),
  active: maybe(Type.Boolean()),
  loyalty_card: Type.Optional(Type.Unknown())
})
export type Card = Static<typeof Card>

export const Campaign = Type.Object({ id: maybe(Type.String()), name: maybe(Type.String()) })

/** `points` is the signed change, `balance` what is available after it. `total` changed its meaning: never read it. */
export const Balance = Type.Object({
  points: maybe(exactInteger()),
  balance: maybe(exactInteger()),
  related_object: maybe(Type.Object({ id: maybe(Type.String()), type: maybe(Type.String()) }))
})

/** Who and what the payload of a loyalty event is about. */
export const about = {
  customer: maybe(Customer),
  holder: maybe(Customer),
  voucher: maybe(Card),
  campaign: maybe(Campaign)
}
export interface About {
  customer?: Customer | null | undefined
  holder?: Customer | null | undefined
  voucher?: Card | null | undefined
  campaign?: Static<typeof Campaign> | null | undefined
}

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
export type Order = Static<typeof Order>

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

/** The time of an event that tells no movement: it can do without. */
export function optionalInstant (field: string, ...candidates: unknown[]): Instant | null {
  return candidates.every(candidate => candidate === null || candidate === undefined) ? null : requiredInstant(field, ...candidates)
}

/** The key of a movement. @throws UnreadablePayload when the ids together are longer than an index can hold */
export function movementKey (entity: string, ...ids: string[]): string {
  const key = naturalKey(entity, ...ids)
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) throw new UnreadablePayload(`the ids that name the ${entity} are too long for one key`)
  return key
}

/** Does a voucher hold points? A payload designer may have left out its type. */
export function isLoyaltyCard (voucher: Card | null | undefined): voucher is Card {
  if (voucher === null || voucher === undefined) return false
  return voucher.type === undefined || voucher.type === null ? voucher.loyalty_card !== undefined && voucher.loyalty_card !== null : voucher.type === 'LOYALTY_CARD'
}

/** Who holds the card, where the payload says. */
export function holderOf ({ holder, voucher }: About): string | null {
  return optionalId(voucher?.holder_id, 'voucher.holder_id') ?? optionalId(holder?.id, 'holder.id')
}

/** Whose event it is: the holder, else the customer who acts. Where an event is about a card's own points, that is its holder. */
export function customerOf (data: About): string | null {
  return holderOf(data) ?? optionalId(data.customer?.id, 'customer.id')
}

/** What a payload says of the card it is about. */
export function cardSighting (card_id: string, { voucher, campaign }: Pick<About, 'voucher' | 'campaign'>, holder_id: string | null, occurred_at: Instant): CardSighting {
  const fields: CardSighting['fields'] = {}
  const campaign_id = voucher?.campaign_id ?? campaign?.id
  const name = voucher?.campaign ?? campaign?.name
  if (voucher?.code !== undefined) fields.code = optionalText(voucher.code)
  if (campaign_id !== undefined) fields.campaign_id = optionalId(campaign_id, 'voucher.campaign_id')
  if (name !== undefined) fields.campaign = optionalText(name)
  if (typeof voucher?.active === 'boolean') fields.active = String(voucher.active)
  return { fact: 'card', card_id, occurred_at, fields, ...(holder_id === null ? {} : { holder_id }) }
}

/** What a payload says of the people in it. Whoever holds a card or acts exists, even where nothing else is said of them. */
export function people (occurred_at: Instant, told: ReadonlyArray<Customer | null | undefined>, ids: ReadonlyArray<string | null>): Fact[] {
  const sightings = new Map<string, CustomerSighting>()
  for (const customer of told) {
    for (const sighting of customerSighting(customer, occurred_at)) {
      const before = sightings.get(sighting.customer_id)
      sightings.set(sighting.customer_id, before === undefined ? sighting : { ...before, fields: { ...sighting.fields, ...before.fields } })
    }
  }
  for (const customer_id of ids) {
    if (customer_id !== null && !sightings.has(customer_id)) sightings.set(customer_id, { fact: 'customer', customer_id, occurred_at, fields: {} })
  }
  return [...sightings.values()]
}

/** What a customer object says of its customer; nothing when it does not say whose it is. */
export function customerSighting (customer: Customer | null | undefined, occurred_at: Instant): CustomerSighting[] {
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
export function orderSighting (order: Order, customerId: string | null, toldAt?: unknown): OrderSighting {
  const created_at = optionalInstant('data.order.created_at', order.created_at)
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

/** An order inside another event is an observation of that order, when it says which state it is in and since when. */
export function observedOrder (order: Order | null | undefined, customerId: string | null): OrderSighting[] {
  return order?.id && order.status && order.updated_at ? [orderSighting(order, customerId)] : []
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

/** Two sends may write one moment with three digits and with six. */
export function toMilliseconds (instant: Instant): string {
  return instant.slice(0, 23)
}

export function optionalText (value: string | null | undefined): string | null {
  return value === null || value === undefined ? null : storableText(value)
}

/** What else explains a movement, as JSON text with sorted keys; members without a value are left out. */
export function details (members: Record<string, unknown>): string | null {
  const told = Object.entries(members).filter(([, value]) => value !== null && value !== undefined)
  return told.length === 0 ? null : jsonText(Object.fromEntries(told))
}

function jsonText (value: unknown): string | null {
  return value === null || value === undefined ? null : canonical(storable(value as Json))
}

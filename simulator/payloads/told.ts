import { instant, type Micros } from '../clock.ts'
import type { CardFact, CustomerFact, Fact, OrderFact } from '../facts.ts'
import type { CardState, OrderState, Profile } from '../model.ts'

/** What the embedded objects of a payload tell besides its own subject, as of the time that it tells them for. */

export function customerTold (customer: Profile, at: Micros, deleted = false): CustomerFact {
  const { id: customer_id, source_id, name, email, metadata } = customer
  return { fact: 'customer', customer_id, source_id, name, email, metadata, deleted, at: instant(at) }
}

export function cardTold (card: CardState, at: Micros, deleted = false): CardFact {
  return {
    fact: 'card',
    card_id: card.id,
    code: card.code,
    campaign: card.campaign.name,
    campaign_id: card.campaign.id,
    active: card.active,
    deleted,
    at: instant(at)
  }
}

/** The card, and that its holder held it then. */
export function holdingTold (card: CardState, at: Micros, deleted = false): Fact[] {
  const told = cardTold(card, at, deleted)
  return card.holder === undefined ? [told] : [told, { fact: 'holder', card_id: card.id, customer_id: card.holder.id, at: instant(at) }]
}

/** The card, its holder, and who that is. */
export function holderTold (card: CardState, at: Micros): Fact[] {
  const holding = holdingTold(card, at)
  return card.holder === undefined ? holding : [...holding, customerTold(card.holder, at)]
}

export function orderTold (order: OrderState): OrderFact {
  const discount = order.discount === 0 ? null : order.discount
  return {
    fact: 'order',
    order_id: order.id,
    customer_id: order.customer.id,
    source_id: order.source_id,
    status: order.status,
    amount: order.amount,
    initial_amount: order.initial_amount,
    discount_amount: discount,
    total_discount_amount: discount,
    total_amount: order.amount - order.discount,
    items: order.items,
    metadata: order.metadata,
    created_at: instant(order.created_at),
    updated_at: instant(order.updated_at)
  }
}

import { instant, type Micros } from '../clock.ts'
import type { CardFact, CustomerFact, Fact, OrderFact } from '../facts.ts'
import type { CardState, OrderState, Profile } from '../model.ts'

/** What the embedded objects of a payload tell besides its own subject. */

export function customerTold (customer: Profile): CustomerFact {
  return { fact: 'customer', customer_id: customer.id, source_id: customer.source_id }
}

export function cardTold (card: CardState): CardFact {
  return { fact: 'card', card_id: card.id, code: card.code, campaign: card.campaign.name, campaign_id: card.campaign.id }
}

/** The card, and that its holder held it then. */
export function holdingTold (card: CardState, at: Micros): Fact[] {
  if (card.holder === undefined) return [cardTold(card)]
  return [cardTold(card), { fact: 'holder', card_id: card.id, customer_id: card.holder.id, at: instant(at) }]
}

export function orderTold (order: OrderState): OrderFact {
  return {
    fact: 'order',
    order_id: order.id,
    customer_id: order.customer.id,
    status: order.status,
    amount: order.amount,
    discount_amount: order.discount === 0 ? null : order.discount,
    total_discount_amount: order.discount === 0 ? null : order.discount,
    total_amount: order.amount - order.discount,
    created_at: instant(order.created_at),
    updated_at: instant(order.updated_at)
  }
}

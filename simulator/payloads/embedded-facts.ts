import { instant, type Micros } from '../clock.ts'
import type { CardFact, CustomerFact, Fact, OrderFact, SnapshotFact } from '../facts.ts'
import type { CardState, OrderState, Profile } from '../model.ts'

// The facts of objects that are embedded in payloads. `at` is the time for which the payload states them.

export function customerFact (customer: Profile, at: Micros, deleted = false): CustomerFact {
  const { id: customer_id, source_id, name, email, metadata } = customer
  return { fact: 'customer', customer_id, source_id, name, email, metadata, deleted, at: instant(at) }
}

export function cardFact (card: CardState, at: Micros, deleted = false): CardFact {
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

/** What `voucherObject` shows of the card's points. */
export function snapshotFact ({ id: card_id, balance, pending, updated_at }: CardState): SnapshotFact {
  return { fact: 'snapshot', card_id, balance, pending: pending === 0 ? null : pending, at: instant(updated_at) }
}

/** The card, and who held it. @param shown the state of the card that the payload shows */
export function cardFacts (card: CardState, at: Micros, { deleted = false, shown = card }: { deleted?: boolean, shown?: CardState } = {}): Fact[] {
  const facts = [cardFact(card, at, deleted), snapshotFact(shown)]
  return card.holder === undefined ? facts : [...facts, { fact: 'holder', card_id: card.id, customer_id: card.holder.id, at: instant(at) }]
}

/** The card, who held it, and the holder's profile. */
export function cardAndHolderFacts (card: CardState, at: Micros): Fact[] {
  const holding = cardFacts(card, at)
  return card.holder === undefined ? holding : [...holding, customerFact(card.holder, at)]
}

export function orderFact (order: OrderState): OrderFact {
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

import { instant, written } from '../clock.ts'
import { DISTRIBUTED_WRAPPED, PROJECT, PROJECT_ARCHIVED, type ProviderEvent, type Stamp } from '../event.ts'
import { RANK, type Fact } from '../facts.ts'
import type { JsonObject } from '../json.ts'
import { joined, openingKey } from '../keys.ts'
import type { CardState, Profile } from '../model.ts'
import { campaignObject, customerObject, voucherObject } from './objects.ts'
import { cardFact, customerFact, cardFacts, snapshotFact } from './embedded-facts.ts'

/** `voucher.created`: an imported card has opening points. */
export function cardCreatedEvent (stamp: Stamp, card: CardState): ProviderEvent {
  const opening: Fact = {
    fact: 'movement',
    movement_id: openingKey(card.id),
    card_id: card.id,
    rank: RANK.enveloped,
    kind: 'opening',
    points: card.balance,
    reported_balance: card.balance,
    occurred_at: instant(card.created_at),
    order_id: null,
    earning_rule_id: null
  }
  return {
    ...cardEvent(stamp, card, 'voucher.created'),
    movement_id: openingKey(card.id),
    facts: () => [opening, ...cardFacts(card, stamp.at)]
  }
}

/** `voucher.updated`, `.enabled`, `.disabled` and `.deleted`. */
export function cardLifeEvent (stamp: Stamp, card: CardState, change: 'updated' | 'enabled' | 'disabled' | 'deleted'): ProviderEvent {
  return { ...cardEvent(stamp, card, `voucher.${change}`), facts: () => cardFacts(card, stamp.at, { deleted: change === 'deleted' }) }
}

function cardEvent (stamp: Stamp, card: CardState, type: string): Omit<ProviderEvent, 'facts'> {
  return {
    ...stamp,
    type,
    customer_id: card.holder?.id ?? card.id,
    subject: joined('card', card.id),
    routes: PROJECT_ARCHIVED,
    payload: () => ({ voucher: voucherObject(card), campaign: campaignObject(card.campaign) }),
    archived_id: `${stamp.id}a`,
    archived: () => ({ object: voucherObject(card), related_object: campaignObject(card.campaign) })
  }
}

/** `voucher.published`: the card is given to a customer. */
export function cardPublishedEvent (stamp: Stamp, card: CardState, to: Profile, publication_id: string): ProviderEvent {
  return {
    ...stamp,
    type: 'voucher.published',
    customer_id: to.id,
    subject: joined('card', card.id),
    routes: PROJECT,
    payload: () => ({
      customer: customerObject(to),
      campaign: campaignObject(card.campaign),
      publication: {
        id: publication_id,
        object: 'publication',
        customer_id: to.id,
        created_at: written(stamp.at),
        voucher_id: card.id,
        vouchers_id: [card.id],
        channel: 'API',
        metadata: {}
      },
      voucher: voucherObject(card, { holder: false }),
      created_at: written(stamp.at)
    }),
    facts: () => [cardFact(card, stamp.at), snapshotFact(card), customerFact(to, stamp.at), { fact: 'holder', card_id: card.id, customer_id: to.id, at: instant(stamp.at) }]
  }
}

/** `customer.holder.assignment.created` and `.deleted`. The `holder` of these is the assignment, not the customer. */
export function assignmentEvent (stamp: Stamp, card: CardState, customer: Profile, change: 'created' | 'deleted', assignment_id: string): ProviderEvent {
  return {
    ...stamp,
    type: `customer.holder.assignment.${change}`,
    customer_id: customer.id,
    subject: joined('card', card.id),
    routes: DISTRIBUTED_WRAPPED,
    payload: () => ({
      holder: assignmentObject(),
      voucher: voucherObject(card, { holder: change === 'created' }),
      campaign: campaignObject(card.campaign),
      customer: customerObject(customer)
    }),
    facts: () => [
      cardFact(card, stamp.at),
      snapshotFact(card),
      customerFact(customer, stamp.at),
      { fact: change === 'created' ? 'holder' : 'release', card_id: card.id, customer_id: customer.id, at: instant(stamp.at) }
    ]
  }

  function assignmentObject (): JsonObject {
    return {
      id: assignment_id,
      created_at: written(stamp.at),
      redeemable_id: card.id,
      redeemable_object: 'voucher',
      campaign_id: card.campaign.id,
      campaign_type: 'LOYALTY_PROGRAM',
      voucher_type: 'LOYALTY_CARD',
      publication_id: null,
      customer_id: customer.id,
      holder_role: 'OWNER',
      object: 'redeemable_holder'
    }
  }
}

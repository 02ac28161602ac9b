import { instant } from '../clock.ts'
import { BOTH, type ProviderEvent, type Stamp } from '../event.ts'
import { RANK } from '../facts.ts'
import { awardKey, joined } from '../keys.ts'
import type { CardState, OrderState, Profile, Rule, Trigger } from '../model.ts'
import { balanceObject, campaignObject, customerObject, orderObject, ruleObject, triggerObject, voucherObject } from './objects.ts'
import { customerFact, cardFacts, orderFact } from './embedded-facts.ts'

export interface Award {
  stamp: Stamp
  /** The card after the award. */
  card: CardState
  /** The card as the payload shows it: before the award, as in the provider's own sample. */
  shown: CardState
  /** The buyer; not always the holder of the card. */
  customer: Profile
  rule: Rule
  trigger: Trigger
  order: OrderState
  points: number
}

/** `customer.rewarded.loyalty_points`: points earned under one rule. */
export function awardEvent (award: Award): ProviderEvent {
  const { stamp, card, shown, customer, rule, trigger, order, points } = award
  const movement_id = awardKey(trigger.id, rule.id, card.id)
  const holder = card.holder ?? customer
  return {
    ...stamp,
    type: 'customer.rewarded.loyalty_points',
    customer_id: holder.id,
    subject: joined('award', rule.id, card.id),
    routes: [...BOTH, 'v2018'],
    bare_id: trigger.id,
    movement_id,
    payload: () => ({
      customer: customerObject(customer),
      holder: customerObject(holder),
      voucher: voucherObject({ ...shown, holder: card.holder }),
      campaign: campaignObject(card.campaign),
      loyalty_tier: null,
      earning_rule: ruleObject(rule, card.campaign),
      balance: balanceObject(card, points, { operation_type: 'AUTOMATIC' }),
      order: orderObject(order),
      event: triggerObject(trigger)
    }),
    facts: route => {
      const bare = route === 'bare'
      const at = bare ? trigger.at : stamp.at
      return [
        {
          fact: 'movement',
          movement_id,
          card_id: card.id,
          rank: bare ? RANK.bare : RANK.enveloped,
          kind: 'accrual',
          points,
          reported_balance: card.balance,
          occurred_at: instant(at),
          order_id: order.id,
          earning_rule_id: rule.id
        },
        ...cardFacts(card, at, { shown }),
        customerFact(customer, at),
        customerFact(holder, at),
        orderFact(order)
      ]
    },
    contradictions: [
      () => awardEvent({ ...award, card: { ...card, balance: card.balance + 7 }, points: points + 7 }),
      () => awardEvent({ ...award, points: points + 7 }),
      () => awardEvent({ ...award, card: { ...card, balance: card.balance + 7 } })
    ]
  }
}

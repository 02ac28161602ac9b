import { DISTRIBUTED, PROJECT, PROJECT_ARCHIVED, type ProviderEvent, type Stamp } from '../event.ts'
import type { JsonObject } from '../json.ts'
import { joined } from '../keys.ts'
import type { OrderState, Profile } from '../model.ts'
import { instant, type Micros } from '../clock.ts'
import { campaignObject, customerObject, orderObject, simpleOrderObject } from './objects.ts'
import { keysOf, holderObject, parentObject, redemptionObject, redemptionFacts, shownCard, type Looks, type Redemption } from './redemption-parts.ts'
import { customerFact } from './embedded-facts.ts'

type Channel = 'project' | 'distribution'

/** `[customer.]redemption.succeeded` and `[customer.]redemption.rollback.succeeded`: they state no balance. */
export function redemptionEvent (stamp: Stamp, spend: Redemption, channel: Channel): ProviderEvent {
  const rollback = spend.rollback_id !== undefined
  const name = rollback ? 'redemption.rollback.succeeded' : 'redemption.succeeded'
  const route = channel === 'project'
    // The v2018 envelope holds the object and its card, not the order.
    ? { type: name, routes: spend.order_in_full ? PROJECT : PROJECT_ARCHIVED }
    : { type: `customer.${name}`, routes: DISTRIBUTED, bare_id: keysOf(spend).subject }
  return {
    ...stamp,
    ...route,
    ...keysOf(spend),
    payload: () => ({
      ...payloadOf(spend, { as: 'spend' }),
      ...(rollback ? { redemption_rollback: redemptionObject(spend, { as: 'rollback' }) } : {})
    }),
    archived_id: `${stamp.id}a`,
    archived: () => ({ object: redemptionObject(spend, { as: rollback ? 'rollback' : 'spend' }), related_object: shownCard(spend) }),
    facts: sent => redemptionFacts(spend, sent),
    contradictions: [() => redemptionEvent(stamp, { ...spend, points: spend.points + 7 }, channel)]
  }
}

/**
 * A failed redemption: it states card and amount, and moves no points. As `redemption.failed`, as bare data in which
 * only the fields differ from a success, or with the event type of a success.
 */
export function failedRedemptionEvent (stamp: Stamp, spend: Redemption, named: 'failed' | 'customer.failed' | 'succeeded', failed: NonNullable<Looks['failed']>): ProviderEvent {
  const { customer_id, subject } = keysOf(spend)
  const event = { id: stamp.id, at: stamp.at, group_id: stamp.group_id, customer_id, subject, payload: () => payloadOf(spend, { as: 'spend', failed }) }
  const known = spend.card.holder === undefined ? [] : [customerFact(spend.card.holder, spend.at)]
  switch (named) {
    // The ledger does not read this type.
    case 'failed': return { ...event, type: 'redemption.failed', routes: PROJECT, facts: () => [] }
    case 'customer.failed': return { ...event, type: 'customer.redemption.failed', routes: DISTRIBUTED, bare_id: subject, facts: sent => sent === 'bare' ? known : [] }
    case 'succeeded': return { ...event, type: 'redemption.succeeded', routes: PROJECT, facts: () => known }
  }
}

/** `redemption.succeeded` of a whole stack: no voucher, no points; its parts have events of their own. */
export function stackRedemptionEvent (stamp: Stamp, customer: Profile, stack: { id: string, at: Micros, order: OrderState }): ProviderEvent {
  return {
    ...stamp,
    type: 'redemption.succeeded',
    customer_id: customer.id,
    subject: joined('redemption', stack.id),
    routes: PROJECT,
    payload: () => ({
      customer: customerObject(customer),
      order: simpleOrderObject(stack.order),
      campaign: null,
      voucher: null,
      holder: null,
      promotion_tier: null,
      promotion_stack: null,
      redemption: parentObject(stack.id, customer, stack.at, stack.order)
    }),
    facts: () => [customerFact(customer, stack.at)]
  }
}

/** `redemption.succeeded` of a discount voucher: it looks like a spend of points and is not. */
export function discountRedemptionEvent (
  stamp: Stamp, customer: Profile, ids: { redemption: string, voucher: string, campaign: string, parent?: string }, at: Micros
): ProviderEvent {
  return {
    ...stamp,
    type: 'redemption.succeeded',
    customer_id: customer.id,
    subject: joined('redemption', ids.redemption),
    routes: PROJECT,
    payload: () => ({
      customer: customerObject(customer),
      order: null,
      campaign: { id: ids.campaign, name: 'Spring sale', campaign_type: 'DISCOUNT_COUPONS', object: 'campaign' },
      voucher: discountVoucher(customer, ids),
      holder: customerObject(customer),
      promotion_tier: null,
      promotion_stack: null,
      redemption: {
        id: ids.redemption,
        customer_id: customer.id,
        date: instant(at),
        amount: 1000,
        ...(ids.parent === undefined ? {} : { redemption: ids.parent }),
        result: 'SUCCESS',
        status: 'SUCCEEDED',
        metadata: {},
        object: 'redemption'
      }
    }),
    facts: () => [customerFact(customer, at)]
  }
}

function discountVoucher (customer: Profile, ids: { voucher: string, campaign: string }): JsonObject {
  return {
    id: ids.voucher,
    code: 'SPRING',
    discount: { type: 'AMOUNT', amount_off: 1000, effect: 'APPLY_TO_ORDER' },
    type: 'DISCOUNT_VOUCHER',
    campaign: 'Spring sale',
    campaign_id: ids.campaign,
    holder_id: customer.id,
    active: true,
    created_at: instant(customer.created_at),
    object: 'voucher'
  }
}

function payloadOf (spend: Redemption, looks: Looks): JsonObject {
  const { order, card } = spend
  return {
    customer: holderObject(spend),
    order: order === undefined ? null : spend.order_in_full ? orderObject(order) : simpleOrderObject(order),
    campaign: campaignObject(card.campaign),
    voucher: shownCard(spend),
    holder: holderObject(spend),
    promotion_tier: null,
    promotion_stack: null,
    redemption: redemptionObject(spend, looks)
  }
}

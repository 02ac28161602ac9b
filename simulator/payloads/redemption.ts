import { DISTRIBUTED, PROJECT, PROJECT_ARCHIVED, type JsonObject, type ProviderEvent, type Stamp } from '../event.ts'
import { joined } from '../keys.ts'
import type { OrderState, Profile } from '../model.ts'
import { instant, type Micros } from '../clock.ts'
import { campaignObject, customerObject, orderObject, simpleOrderObject, voucherObject } from './objects.ts'
import { about, holderObject, parentObject, redemptionObject, spendTold, type Looks, type Redemption } from './spent.ts'
import { customerTold } from './told.ts'

type Channel = 'project' | 'distribution'

/** `[customer.]redemption.succeeded` and `[customer.]redemption.rollback.succeeded`: no balance is told. */
export function redemptionEvent (stamp: Stamp, spend: Redemption, channel: Channel): ProviderEvent {
  const rollback = spend.rollback_id !== undefined
  const name = rollback ? 'redemption.rollback.succeeded' : 'redemption.succeeded'
  const route = channel === 'project'
    // The old envelope has room for the object and its card only, not for the order.
    ? { type: name, routes: spend.order_in_full ? PROJECT : PROJECT_ARCHIVED }
    : { type: `customer.${name}`, routes: DISTRIBUTED, bare_id: about(spend).subject }
  return {
    ...stamp,
    ...route,
    ...about(spend),
    payload: () => ({
      ...payloadOf(spend, { as: 'spend' }),
      ...(rollback ? { redemption_rollback: redemptionObject(spend, { as: 'rollback' }) } : {})
    }),
    archived_id: `${stamp.id}a`,
    archived: () => ({ object: redemptionObject(spend, { as: rollback ? 'rollback' : 'spend' }), related_object: voucherObject(spend.card) }),
    facts: sent => spendTold(spend, sent),
    contradictions: [() => redemptionEvent(stamp, { ...spend, points: spend.points + 7 }, channel)]
  }
}

/**
 * A redemption that failed: it names card and amount, and moves nothing. As `redemption.failed`, as bare data that only its
 * fields tell from a success, or with the name of one.
 */
export function failedRedemptionEvent (stamp: Stamp, spend: Redemption, named: 'failed' | 'customer.failed' | 'succeeded', failed: NonNullable<Looks['failed']>): ProviderEvent {
  const { customer_id, subject } = about(spend)
  const told = { id: stamp.id, at: stamp.at, group_id: stamp.group_id, customer_id, subject, payload: () => payloadOf(spend, { as: 'spend', failed }) }
  const known = spend.card.holder === undefined ? [] : [customerTold(spend.card.holder, spend.at)]
  switch (named) {
    // A type that nobody reads.
    case 'failed': return { ...told, type: 'redemption.failed', routes: PROJECT, facts: () => [] }
    case 'customer.failed': return { ...told, type: 'customer.redemption.failed', routes: DISTRIBUTED, bare_id: subject, facts: sent => sent === 'bare' ? known : [] }
    case 'succeeded': return { ...told, type: 'redemption.succeeded', routes: PROJECT, facts: () => known }
  }
}

/** `redemption.succeeded` of a whole stack: no voucher, no points; its parts come with events of their own. */
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
    facts: () => [customerTold(customer, stack.at)]
  }
}

/** `redemption.succeeded` of a discount voucher: it looks like a spend of points and is none. */
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
    facts: () => [customerTold(customer, at)]
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
    voucher: voucherObject(card),
    holder: holderObject(spend),
    promotion_tier: null,
    promotion_stack: null,
    redemption: redemptionObject(spend, looks)
  }
}

import { day, DAY, instant, SECOND, written } from '../clock.ts'
import type { JsonObject } from '../json.ts'
import type { Campaign, CardState, OrderState, Profile, Rule, Tier, Trigger } from '../model.ts'

// Objects that many payloads contain, in the provider's shapes.

export function customerObject (customer: Profile): JsonObject {
  return {
    id: customer.id,
    name: customer.name,
    email: customer.email,
    source_id: customer.source_id,
    metadata: customer.metadata,
    object: 'customer'
  }
}

/** The card as of its last change: `loyalty_card` and `updated_at` belong together. */
export function voucherObject (card: CardState, { holder = true }: { holder?: boolean } = {}): JsonObject {
  return {
    id: card.id,
    code: card.code,
    loyalty_card: {
      points: card.balance,
      balance: card.balance,
      ...(card.pending === 0 ? {} : { pending_points: card.pending }),
      next_expiration_date: day(card.created_at + 365 * DAY)
    },
    type: 'LOYALTY_CARD',
    campaign: card.campaign.name,
    campaign_id: card.campaign.id,
    is_referral_code: false,
    ...(holder && card.holder !== undefined ? { holder_id: card.holder.id } : {}),
    category_id: null,
    active: card.active,
    created_at: written(card.created_at),
    updated_at: instant(card.updated_at),
    redemption: { quantity: null, redeemed_quantity: 0, redeemed_points: 0 },
    metadata: {},
    object: 'voucher'
  }
}

export function campaignObject (campaign: Campaign): JsonObject {
  return {
    id: campaign.id,
    name: campaign.name,
    campaign_type: 'LOYALTY_PROGRAM',
    type: 'AUTO_UPDATE',
    is_referral_code: false,
    voucher: {
      type: 'LOYALTY_CARD',
      loyalty_card: { points: 0 },
      redemption: { quantity: null, redeemed_quantity: 0 },
      code_config: {
        length: 8,
        prefix: '',
        charset: '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ',
        pattern: '########',
        postfix: ''
      }
    },
    auto_join: true,
    join_once: true,
    active: true,
    category_id: null,
    created_at: instant(campaign.created_at),
    object: 'campaign'
  }
}

export function ruleObject (rule: Rule, campaign: Campaign): JsonObject {
  return {
    id: rule.id,
    created_at: instant(rule.created_at),
    updated_at: null,
    validation_rule_id: null,
    loyalty: ruleFormula(rule),
    event: 'order.paid',
    source: { banner: rule.banner, object_id: campaign.id, object_type: 'campaign' },
    active: true,
    object: 'earning_rule',
    metadata: {}
  }
}

function ruleFormula (rule: Rule): JsonObject {
  if (rule.type === 'FIXED') return { type: 'FIXED', points: rule.points }
  return {
    type: 'PROPORTIONAL',
    calculation_type: 'ORDER_TOTAL_AMOUNT',
    order: { total_amount: { every: rule.every, points: rule.points } }
  }
}

/** The order with its times: wherever this shape is embedded, it is an observation of the order. */
export function orderObject (order: OrderState): JsonObject {
  return {
    id: order.id,
    source_id: order.source_id,
    created_at: written(order.created_at),
    // The provider dates no change of an order that never changed.
    updated_at: order.updated_at === order.created_at ? null : written(order.updated_at),
    status: order.status,
    ...amounts(order),
    items: [...order.items],
    metadata: order.metadata,
    customer: { id: order.customer.id, address: null, summary: null, loyalty: null, referrals: null, object: 'customer' },
    customer_id: order.customer.id,
    referrer_id: null,
    object: 'order'
  }
}

/** The order without its times: it identifies the order and is no observation. */
export function simpleOrderObject (order: OrderState): JsonObject {
  return {
    id: order.id,
    ...(order.source_id === null ? {} : { source_id: order.source_id }),
    status: order.status,
    customer_id: order.customer.id,
    referrer_id: null,
    ...amounts(order),
    items: [...order.items],
    metadata: order.metadata,
    object: 'order'
  }
}

function amounts (order: OrderState): JsonObject {
  return {
    amount: order.amount,
    ...(order.initial_amount === null ? {} : { initial_amount: order.initial_amount }),
    ...(order.discount === 0 ? {} : { discount_amount: order.discount, total_discount_amount: order.discount }),
    total_amount: order.amount - order.discount
  }
}

export function triggerObject (trigger: Trigger): JsonObject {
  return {
    id: trigger.id,
    type: 'customer.order.paid',
    category: 'EFFECT',
    entity_id: trigger.customer_id,
    created_at: written(trigger.at),
    group_id: trigger.group_id
  }
}

/** Points moved, and the balance after. `total` has no fixed meaning at the provider: here it misleads on purpose. */
export function balanceObject (card: CardState, points: number, more: JsonObject = {}): JsonObject {
  return {
    type: 'loyalty_card',
    total: card.balance + Math.abs(points),
    object: 'balance',
    points,
    balance: card.balance,
    ...more,
    related_object: { id: card.id, type: 'voucher' }
  }
}

export function tierObject (tier: Tier, campaign: Campaign): JsonObject {
  return {
    id: tier.id,
    name: tier.name,
    campaign_id: campaign.id,
    metadata: null,
    created_at: instant(tier.created_at),
    updated_at: null,
    config: { points: { from: tier.from } },
    earning_rules: null,
    rewards: null,
    object: 'loyalty_tier'
  }
}

/** A bucket of expired points. */
export function bucketObject (id: string, card: CardState, points: number): JsonObject {
  return {
    id,
    voucher_id: card.id,
    campaign_id: card.campaign.id,
    bucket: { total_points: points },
    status: 'EXPIRED',
    expires_at: day(card.updated_at - DAY),
    created_at: written(card.created_at),
    updated_at: written(card.updated_at + SECOND),
    object: 'loyalty_points_bucket'
  }
}

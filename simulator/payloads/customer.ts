import { instant, written, type Micros } from '../clock.ts'
import { DISTRIBUTED_WRAPPED, PROJECT_ARCHIVED, type ProviderEvent, type Stamp } from '../event.ts'
import type { TierChange } from '../facts.ts'
import type { JsonObject } from '../json.ts'
import { joined } from '../keys.ts'
import type { Campaign, Profile, Tier } from '../model.ts'
import { campaignObject, customerObject, tierObject } from './objects.ts'
import { customerFact } from './embedded-facts.ts'

/** `customer.created`, `.updated` and `.deleted`. */
export function customerEvent (stamp: Stamp, customer: Profile, change: 'created' | 'updated' | 'deleted'): ProviderEvent {
  return {
    ...stamp,
    type: `customer.${change}`,
    customer_id: customer.id,
    subject: joined('customer', customer.id),
    routes: PROJECT_ARCHIVED,
    payload: () => ({ customer: fullCustomerObject(customer, stamp.at) }),
    archived_id: `${stamp.id}a`,
    archived: () => ({ object: fullCustomerObject(customer, stamp.at) }),
    facts: () => [customerFact(customer, stamp.at, change === 'deleted')]
  }
}

/** A customer with all fields, as customer events and the API show it. */
export function fullCustomerObject (customer: Profile, updated_at: Micros): JsonObject {
  return {
    ...customerObject(customer),
    description: null,
    phone: null,
    birthdate: null,
    address: null,
    summary: {
      orders: { total_amount: 0, total_count: 0, average_amount: 0, last_order_amount: 0 },
      redemptions: { total_redeemed: 0, total_failed: 0, total_succeeded: 0, total_rolled_back: 0, total_rollback_failed: 0, total_rollback_succeeded: 0 }
    },
    loyalty: { points: 0, referred_customers: 0, campaigns: {} },
    referrals: { total: 0, campaigns: [] },
    system_metadata: {},
    created_at: written(customer.created_at),
    updated_at: written(updated_at)
  }
}

/** `customer.loyalty.tier.…`. */
export function tierEvent (stamp: Stamp, customer: Profile, campaign: Campaign, change: TierChange, tiers: { from: Tier | undefined, to: Tier }): ProviderEvent {
  const moved = change === 'upgraded' || change === 'downgraded'
  return {
    ...stamp,
    type: `customer.loyalty.tier.${change}`,
    customer_id: customer.id,
    subject: joined('tier', tiers.to.id),
    routes: DISTRIBUTED_WRAPPED,
    payload: () => ({
      customer: customerObject(customer),
      campaign: campaignObject(campaign),
      ...(moved
        ? { loyalty_tier_from: tiers.from === undefined ? null : tierObject(tiers.from, campaign), loyalty_tier_to: tierObject(tiers.to, campaign) }
        : { loyalty_tier: tierObject(tiers.to, campaign) }),
      created_at: written(stamp.at)
    }),
    facts: () => [
      customerFact(customer, stamp.at),
      { fact: 'tier', customer_id: customer.id, campaign_id: campaign.id, change, tier_id: tiers.to.id, tier: tiers.to.name, at: instant(stamp.at) }
    ]
  }
}

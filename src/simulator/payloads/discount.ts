import { written } from '../clock.ts'
import { PROJECT, type ProviderEvent, type Stamp } from '../event.ts'
import { joined } from '../keys.ts'
import type { Profile } from '../model.ts'
import { customerObject } from './objects.ts'
import { customerTold } from './told.ts'

/** `redemption.succeeded` of a discount voucher: it looks like a spend of points and is none. */
export function discountRedemptionEvent (stamp: Stamp, customer: Profile, ids: { redemption: string, voucher: string, campaign: string }): ProviderEvent {
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
      voucher: {
        id: ids.voucher,
        code: 'SPRING',
        discount: { type: 'AMOUNT', amount_off: 1000, effect: 'APPLY_TO_ORDER' },
        type: 'DISCOUNT_VOUCHER',
        campaign: 'Spring sale',
        campaign_id: ids.campaign,
        holder_id: customer.id,
        active: true,
        created_at: written(customer.created_at),
        object: 'voucher'
      },
      holder: customerObject(customer),
      promotion_tier: null,
      promotion_stack: null,
      redemption: { id: ids.redemption, customer_id: customer.id, date: written(stamp.at), amount: 1000, result: 'SUCCESS', status: 'SUCCEEDED', metadata: {}, object: 'redemption' }
    }),
    facts: () => [customerTold(customer)]
  }
}

import { Type } from '@sinclair/typebox'
import { AnyJson, Int, NullableText, NullableTime, Time, AsOfEcho } from './common.ts'
import { CardSchema } from './card.ts'

const profile = {
  customer_id: Type.String(),
  source_id: NullableText({ description: 'The merchant\'s own id for the customer' }),
  name: NullableText(),
  email: NullableText(),
  metadata: AnyJson(),
  deleted_at: NullableTime({ description: 'When the provider deleted the customer; points and orders stay' }),
  first_seen_at: NullableTime(),
  last_seen_at: NullableTime()
}

export const ProfileSchema = Type.Object(profile, { $id: 'Profile' })

export const CustomerSchema = Type.Object({
  ...profile,
  tiers: Type.Array(Type.Object({
    campaign_id: Type.String(),
    tier_id: Type.String(),
    tier: NullableText({ description: 'The newest known name of the tier' }),
    since: Time({ description: 'Time of the newest change; UTC, with microseconds' }),
    change: Type.String({ description: 'joined, upgraded, downgraded or prolonged' })
  }), { description: 'The loyalty tiers the customer is in' }),
  totals: Type.Object({
    balance: Int({ description: 'Of the cards that can be used' }),
    unavailable: Int({ description: 'On deleted and disabled cards; not part of the balance' }),
    pending: Int(),
    unexplained: Int(),
    cards: Int({ description: 'Number of cards the customer holds' }),
    orders: Int({ description: 'Number of orders the customer placed' })
  })
})

export const BalanceSchema = Type.Object({
  customer_id: Type.String(),
  source_id: NullableText(),
  balance: Int({ description: 'Total of the cards that the customer holds and can use. Points of several programmes are not one currency: see campaigns' }),
  unavailable: Int({ description: 'Total of the deleted and disabled cards; not part of the balance. Each card says why' }),
  pending: Int(),
  unexplained: Int(),
  balance_stated_at: NullableTime({ description: 'The earliest balance_stated_at of the cards; null if one of them has none' }),
  campaigns: Type.Array(Type.Object({
    campaign_id: NullableText(),
    campaign: NullableText(),
    balance: Int(),
    unavailable: Int(),
    pending: Int(),
    unexplained: Int(),
    cards: Int()
  }), { description: 'The same totals by loyalty programme' }),
  cards: Type.Array(CardSchema),
  ...AsOfEcho,
  as_of: Time({ description: 'When this was read' }),
  position: Type.String({ description: 'shard:position up to which the customer\'s events are included', examples: ['7:123'] })
})

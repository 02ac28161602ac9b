import { Type } from '@sinclair/typebox'
import type { TierChange, TierObservation } from '../../../ledger/facts.ts'
import type { Envelope } from '../wire/envelope.ts'
import { firstId, naturalKey } from '../wire/ids.ts'
import { Campaign } from '../payloads/card.ts'
import { Customer, people } from '../payloads/customer.ts'
import { Described, maybe, reader } from '../payloads/decoder.ts'
import { optionalId, textIn, requiredId, requiredInstant, toMilliseconds } from '../payloads/values.ts'
import type { Family, Reading } from './family.ts'

const PREFIX = 'customer.loyalty.tier.'
const CHANGES: readonly TierChange[] = ['joined', 'upgraded', 'downgraded', 'prolonged', 'left']

const Tier = Type.Object({ id: maybe(Type.String()), name: Described, campaign_id: maybe(Type.String()) })

const readTier = reader(Type.Object({
  customer: Customer,
  campaign: maybe(Campaign),
  loyalty_tier: maybe(Tier),
  loyalty_tier_from: maybe(Tier),
  loyalty_tier_to: maybe(Tier),
  created_at: Described
}))

/** A customer's changes between the tiers of a loyalty programme. */
export const tier: Family = {
  types: CHANGES.map(change => PREFIX + change),
  // Without an envelope, joining and leaving look the same.
  recognises: () => false,
  read
}

function read (envelope: Envelope): Reading {
  const data = readTier(envelope.data)
  const customer_id = requiredId(data.customer.id, 'customer.id')
  const change = String(envelope.type).slice(PREFIX.length) as TierChange
  const from = data.loyalty_tier_from ?? (change === 'left' ? data.loyalty_tier : undefined)
  const to = change === 'left' ? undefined : data.loyalty_tier_to ?? data.loyalty_tier
  const occurred_at = requiredInstant('data.created_at', data.created_at, envelope.occurred_at)
  const observation: TierObservation = {
    fact: 'tier',
    customer_id,
    campaign_id: requiredId(firstId(data.campaign?.id, to?.campaign_id, from?.campaign_id), 'campaign.id'),
    change,
    tier_id: change === 'left' ? null : requiredId(to?.id, 'loyalty_tier.id'),
    tier: textIn(to, 'name') ?? null,
    from_tier_id: optionalId(from?.id, 'loyalty_tier_from.id'),
    from_tier: textIn(from, 'name') ?? null,
    occurred_at
  }
  return {
    subject: naturalKey('tier', requiredId(to?.id ?? from?.id, 'loyalty_tier.id')),
    customer_id,
    occurred_at,
    facts: [observation, ...people(occurred_at, [data.customer], [customer_id])],
    core: { change, customer: customer_id, campaign: observation.campaign_id, tier: observation.tier_id, from: observation.from_tier_id, occurred_at: toMilliseconds(occurred_at) },
    ids: [customer_id, observation.tier_id, observation.from_tier_id]
  }
}

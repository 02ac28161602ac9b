import type { CustomerFact, TierFact } from '../facts.ts'
import { grouped } from './grouped.ts'
import { compare } from './movements.ts'

export interface ExpectedProfile extends Pick<CustomerFact, 'name' | 'email' | 'metadata'> {
  source_id: string | null
  deleted_at: string | null
}

/** A customer's profile: the newest observation. A deletion is final. @returns null without observations */
export function profileOf (observations: readonly CustomerFact[]): ExpectedProfile | null {
  const newestFirst = [...observations].sort((a, b) => compare(b.at, a.at))
  const [newest] = newestFirst
  if (newest === undefined) return null
  const { name, email, metadata } = newest
  // The provider renames the source id of a customer who is deleted.
  const source_id = newestFirst.find(({ deleted }) => !deleted)?.source_id ?? null
  return { source_id, name, email, metadata, deleted_at: newestFirst.find(({ deleted }) => deleted)?.at ?? null }
}

export interface ExpectedTier {
  campaign_id: string
  tier_id: string
  tier: string
  change: string
  since: string
}

/** The tiers a customer is in, by programme: the newest step, unless it is `left`. */
export function tiersOf (steps: readonly TierFact[]): ExpectedTier[] {
  const byCampaign = [...grouped(steps, step => step.campaign_id).values()]
  return byCampaign.flatMap(ofCampaign => {
    const newest = [...ofCampaign].sort((a, b) => compare(b.at, a.at))[0]
    if (newest === undefined || newest.change === 'left') return []
    const { campaign_id, tier_id, tier, change, at } = newest
    return [{ campaign_id, tier_id, tier, change, since: at }]
  }).sort((a, b) => compare(a.campaign_id, b.campaign_id))
}

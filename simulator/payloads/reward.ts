import { instant, SECOND, written } from '../clock.ts'
import { BOTH, type ProviderEvent, type Stamp } from '../event.ts'
import { RANK } from '../facts.ts'
import type { JsonObject } from '../json.ts'
import { joined } from '../keys.ts'
import type { CardState, Reward } from '../model.ts'
import { campaignObject } from './objects.ts'
import { keysOf, cardFactsOnRoute, holderObject, movementFact, redemptionObject, redemptionFacts, shownCard, type Redemption } from './redemption-parts.ts'

/** `customer.rewarded`: the same spend, as a reward. */
export function rewardedEvent (stamp: Stamp, spend: Redemption, reward: Reward): ProviderEvent {
  return {
    ...stamp,
    type: 'customer.rewarded',
    ...keysOf(spend),
    routes: BOTH,
    bare_id: joined('rewarded', spend.id),
    payload: () => ({
      customer: holderObject(spend),
      holder: holderObject(spend),
      voucher: shownCard(spend),
      campaign: campaignObject(spend.card.campaign),
      redemption: redemptionObject(spend, { as: 'spend', dated: 'created_at' }),
      reward: rewardObject(reward, spend.card),
      referral_tier: null,
      balance: null,
      custom_event: null,
      customer_event: null
    }),
    facts: route => redemptionFacts({ ...spend, order_in_full: false }, route)
  }
}

type RewardState = 'CREATED' | 'PENDING' | 'COMPLETED'

/** `customer.reward_redemptions.…`: it states the price of the reward, not what was paid. */
export function rewardRedemptionEvent (stamp: Stamp, spend: Redemption, reward: Reward, state: RewardState, priced: boolean): ProviderEvent {
  // An object of its own: the spend is its source.
  const id = spend.id.replace(/^r_/, 'rewr_')
  return {
    ...stamp,
    type: `customer.reward_redemptions.${state.toLowerCase()}`,
    ...keysOf(spend),
    subject: joined('reward_redemption', id),
    routes: BOTH,
    bare_id: joined('reward_redemption', id, state),
    payload: () => ({
      customer: holderObject(spend),
      holder: holderObject(spend),
      voucher: shownCard(spend),
      campaign: campaignObject(spend.card.campaign),
      reward_redemption: {
        id,
        state,
        created_at: instant(spend.at),
        updated_at: state === 'CREATED' ? null : instant(spend.at + SECOND),
        voucher_id: spend.card.id,
        campaign_id: spend.card.campaign.id,
        customer_id: spend.card.holder?.id ?? null,
        reward_assignment_id: reward.assignment_id,
        source_id: spend.id,
        source_type: 'redemption'
      },
      reward: rewardObject(reward, spend.card),
      reward_assignment: priced ? assignmentObject(reward, spend.card) : null,
      source: { id: spend.id, type: 'redemption' },
      balance: null
    }),
    facts: route => [
      {
        ...movementFact(spend, route),
        rank: RANK.priced,
        points: priced ? -reward.points : null,
        order_id: null
      },
      ...cardFactsOnRoute(spend, route)
    ]
  }
}

function rewardObject (reward: Reward, card: CardState): JsonObject {
  return {
    id: reward.id,
    object: 'reward',
    name: reward.name,
    assignment_id: reward.assignment_id,
    created_at: written(card.campaign.created_at),
    updated_at: null,
    parameters: { product: { id: 'prod_0df14b7e7d8975079d', sku_id: null } },
    metadata: {},
    type: 'MATERIAL'
  }
}

function assignmentObject (reward: Reward, card: CardState): JsonObject {
  return {
    id: reward.assignment_id,
    reward_id: reward.id,
    created_at: written(card.campaign.created_at),
    updated_at: null,
    object: 'reward_assignment',
    related_object_id: card.campaign.id,
    related_object_type: 'campaign',
    parameters: { loyalty: { points: reward.points } }
  }
}

import { instant, SECOND, written, type Micros } from '../clock.ts'
import { BOTH, DISTRIBUTED, PROJECT, PROJECT_ARCHIVED, type JsonObject, type ProviderEvent, type Stamp } from '../event.ts'
import { RANK, type Fact, type MovementFact } from '../facts.ts'
import { joined, refundKey, spendKey } from '../keys.ts'
import type { CardState, OrderState, Reward } from '../model.ts'
import { campaignObject, customerObject, orderObject, simpleOrderObject, voucherObject } from './objects.ts'
import { customerTold, holdingTold, orderTold } from './told.ts'

/** A spend of points, or what gives it back. */
export interface Redemption {
  id: string
  /** Set: this is the rollback of redemption `id`. */
  rollback_id?: string
  /** After the movement. */
  card: CardState
  /** Magnitude. */
  points: number
  at: Micros
  order?: OrderState
  /** The order is told in full, with its times. */
  order_in_full: boolean
  reward?: Reward
  reason?: string
}

/** `[customer.]redemption.succeeded` and `[customer.]redemption.rollback.succeeded`: no balance is told. */
export function redemptionEvent (stamp: Stamp, spend: Redemption, channel: 'project' | 'distribution'): ProviderEvent {
  const rollback = spend.rollback_id !== undefined
  const name = rollback ? 'redemption.rollback.succeeded' : 'redemption.succeeded'
  const bare_id = rollback ? joined('rollback', spend.rollback_id!) : joined('redemption', spend.id)
  const route = channel === 'project'
    // The old envelope has room for the object and its card only, not for the order.
    ? { type: name, routes: spend.order_in_full ? PROJECT : PROJECT_ARCHIVED }
    : { type: `customer.${name}`, routes: DISTRIBUTED, bare_id }
  return {
    ...stamp,
    ...route,
    ...about(spend),
    payload: () => ({
      customer: holderObject(spend),
      order: spend.order === undefined ? null : spend.order_in_full ? orderObject(spend.order) : simpleOrderObject(spend.order),
      campaign: campaignObject(spend.card.campaign),
      voucher: voucherObject(spend.card),
      holder: holderObject(spend),
      promotion_tier: null,
      promotion_stack: null,
      redemption: redemptionObject(spend, { as: 'spend' }),
      ...(rollback ? { redemption_rollback: redemptionObject(spend, { as: 'rollback' }) } : {})
    }),
    archived_id: `${stamp.id}a`,
    archived: () => ({ object: redemptionObject(spend, { as: rollback ? 'rollback' : 'spend' }), related_object: voucherObject(spend.card) }),
    facts: bare => told(spend, bare, stamp),
    contradiction: () => redemptionEvent(stamp, { ...spend, points: spend.points + 7 }, channel)
  }
}

/** `customer.rewarded`: the same spend, told as a reward. */
export function rewardedEvent (stamp: Stamp, spend: Redemption, reward: Reward): ProviderEvent {
  return {
    ...stamp,
    type: 'customer.rewarded',
    ...about(spend),
    routes: BOTH,
    bare_id: joined('rewarded', spend.id),
    payload: () => ({
      customer: holderObject(spend),
      holder: holderObject(spend),
      voucher: voucherObject(spend.card),
      campaign: campaignObject(spend.card.campaign),
      redemption: redemptionObject(spend, { as: 'spend', dated: 'created_at' }),
      reward: rewardObject(reward, spend.card),
      referral_tier: null,
      balance: null,
      custom_event: null,
      customer_event: null
    }),
    facts: bare => told({ ...spend, order_in_full: false }, bare, stamp)
  }
}

export type RewardState = 'CREATED' | 'PENDING' | 'COMPLETED'

/** `customer.reward_redemptions.…`: it knows the price of the reward, not what was paid. */
export function rewardRedemptionEvent (stamp: Stamp, spend: Redemption, reward: Reward, state: RewardState, priced: boolean): ProviderEvent {
  return {
    ...stamp,
    type: `customer.reward_redemptions.${state.toLowerCase()}`,
    ...about(spend),
    routes: BOTH,
    bare_id: joined('reward_redemption', spend.id, state),
    payload: () => ({
      customer: holderObject(spend),
      holder: holderObject(spend),
      voucher: voucherObject(spend.card),
      campaign: campaignObject(spend.card.campaign),
      reward_redemption: {
        id: spend.id,
        state,
        created_at: instant(spend.at),
        updated_at: state === 'CREATED' ? null : instant(spend.at + SECOND),
        voucher_id: spend.card.id,
        campaign_id: spend.card.campaign.id,
        customer_id: spend.card.holder?.id ?? null,
        reward_assignment_id: reward.assignment_id,
        source_id: spend.card.id,
        source_type: 'voucher'
      },
      reward: rewardObject(reward, spend.card),
      reward_assignment: priced ? assignmentObject(reward, spend.card) : null,
      source: { id: spend.card.id, type: 'voucher' },
      balance: null
    }),
    facts: bare => [
      {
        ...movementOf(spend, bare),
        rank: RANK.priced,
        points: priced ? -reward.points : null,
        order_id: null
      },
      ...besides(spend, bare, stamp)
    ]
  }
}

function about (spend: Redemption): Pick<ProviderEvent, 'customer_id' | 'subject' | 'movement_id'> {
  return {
    customer_id: spend.card.holder?.id ?? spend.card.id,
    subject: spend.rollback_id === undefined ? joined('redemption', spend.id) : joined('rollback', spend.rollback_id),
    movement_id: movementId(spend)
  }
}

function movementId (spend: Redemption): string {
  return spend.rollback_id === undefined ? spendKey(spend.id, spend.card.id) : refundKey(spend.rollback_id, spend.card.id)
}

function told (spend: Redemption, bare: boolean, stamp: Stamp): Fact[] {
  const order = spend.order !== undefined && spend.order_in_full ? [orderTold(spend.order)] : []
  return [movementOf(spend, bare), ...besides(spend, bare, stamp), ...order]
}

function besides (spend: Redemption, bare: boolean, stamp: Stamp): Fact[] {
  const holding = holdingTold(spend.card, bare ? spend.at : stamp.at)
  return spend.card.holder === undefined ? holding : [...holding, customerTold(spend.card.holder)]
}

function movementOf (spend: Redemption, bare: boolean): MovementFact {
  const refund = spend.rollback_id !== undefined
  return {
    fact: 'movement',
    movement_id: movementId(spend),
    card_id: spend.card.id,
    rank: bare ? RANK.bare : RANK.enveloped,
    kind: refund ? 'refund' : 'redemption',
    points: refund ? spend.points : -spend.points,
    reported_balance: null,
    occurred_at: instant(spend.at),
    order_id: spend.order?.id ?? null,
    earning_rule_id: null
  }
}

function holderObject ({ card }: Redemption): JsonObject | null {
  return card.holder === undefined ? null : customerObject(card.holder)
}

function redemptionObject (spend: Redemption, { as, dated = 'date' }: { as: 'spend' | 'rollback', dated?: 'date' | 'created_at' }): JsonObject {
  const rollback = as === 'rollback'
  return {
    id: rollback ? spend.rollback_id : spend.id,
    customer_id: spend.card.holder?.id ?? null,
    tracking_id: `track_${spend.card.code}`,
    [dated]: instant(spend.at),
    amount: rollback ? -spend.points : spend.points,
    ...(spend.order === undefined ? {} : { order: simpleOrderObject(spend.order) }),
    ...(rollback ? { redemption: spend.id, reason: spend.reason ?? null } : {}),
    result: 'SUCCESS',
    status: 'SUCCEEDED',
    metadata: {},
    channel: { channel_id: 'app_example', channel_type: 'API' },
    object: rollback ? 'redemption_rollback' : 'redemption'
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

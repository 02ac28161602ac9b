import { instant, type Micros } from '../clock.ts'
import type { ProviderEvent, Route } from '../event.ts'
import { RANK, type Fact, type MovementFact } from '../facts.ts'
import type { JsonObject } from '../json.ts'
import { joined, refundKey, spendKey } from '../keys.ts'
import type { CardState, OrderState, Profile, Reward } from '../model.ts'
import { customerObject, simpleOrderObject, voucherObject } from './objects.ts'
import { cardAndHolderFacts, cardFacts, orderFact } from './embedded-facts.ts'

/** A spend of points or its rollback; what the events of both have in common is in this file. */
export interface Redemption {
  id: string
  /** Set: this is the rollback of redemption `id`. */
  rollback_id?: string
  /** The card after the movement. */
  card: CardState
  /** What was paid, as a magnitude. */
  points: number
  at: Micros
  order?: OrderState
  /** The payload contains the order with its times. */
  order_in_full: boolean
  reward?: Reward
  reason?: string
  /** The card in the payload has no time, so that its points say nothing. */
  undated?: boolean
  /** The redemption of a whole stack that this is a part of. */
  parent_id?: string
}

/** The shape of a redemption object; `failed` names the fields that say that it failed. */
export interface Looks { as: 'spend' | 'rollback', dated?: 'date' | 'created_at', failed?: ReadonlyArray<'result' | 'status'> }

export function redemptionObject (spend: Redemption, { as, dated = 'date', failed = [] }: Looks): JsonObject {
  const rollback = as === 'rollback'
  return {
    id: rollback ? spend.rollback_id : spend.id,
    customer_id: spend.card.holder?.id ?? null,
    tracking_id: `track_${spend.card.code}`,
    [dated]: instant(spend.at),
    amount: rollback ? -spend.points : spend.points,
    ...(spend.order === undefined ? {} : { order: simpleOrderObject(spend.order) }),
    ...(rollback ? { redemption: spend.id, reason: spend.reason ?? null } : {}),
    ...(spend.parent_id === undefined ? {} : { redemption: spend.parent_id }),
    result: failed.includes('result') ? 'FAILURE' : 'SUCCESS',
    status: failed.includes('status') ? 'FAILED' : 'SUCCEEDED',
    ...(failed.length === 0 ? {} : { failure_code: 'insufficient_loyalty_card_balance', failure_message: 'not enough points' }),
    metadata: {},
    channel: { channel_id: 'app_example', channel_type: 'API' },
    object: rollback ? 'redemption_rollback' : 'redemption'
  }
}

/** The card as the payload shows it. */
export function shownCard ({ card, undated = false }: Redemption): JsonObject {
  return undated ? { ...voucherObject(card), updated_at: null } : voucherObject(card)
}

/** The redemption of a whole stack, without a voucher. */
export function parentObject (id: string, customer: Profile, at: Micros, order: OrderState): JsonObject {
  return {
    id,
    customer_id: customer.id,
    tracking_id: `track_${customer.source_id}`,
    date: instant(at),
    order: simpleOrderObject(order),
    customer: customerObject(customer),
    result: 'SUCCESS',
    status: 'SUCCEEDED',
    metadata: {},
    channel: { channel_id: 'app_example', channel_type: 'API' },
    object: 'redemption'
  }
}

export function holderObject ({ card }: Redemption): JsonObject | null {
  return card.holder === undefined ? null : customerObject(card.holder)
}

export function keysOf (spend: Redemption): Required<Pick<ProviderEvent, 'customer_id' | 'subject' | 'movement_id'>> {
  return {
    customer_id: spend.card.holder?.id ?? spend.card.id,
    subject: spend.rollback_id === undefined ? joined('redemption', spend.id) : joined('rollback', spend.rollback_id),
    movement_id: spend.rollback_id === undefined ? spendKey(spend.id, spend.card.id) : refundKey(spend.rollback_id, spend.card.id)
  }
}

/** The facts of a payload that contains the redemption. */
export function redemptionFacts (spend: Redemption, route: Route): Fact[] {
  const order = spend.order !== undefined && spend.order_in_full ? [orderFact(spend.order)] : []
  return [movementFact(spend, route), ...cardFactsOnRoute(spend, route), ...order]
}

/** The card and its holder. The v2018 envelope has the holder's id only, no profile. */
export function cardFactsOnRoute (spend: Redemption, route: Route): Fact[] {
  const facts = route === 'v2018' ? cardFacts(spend.card, spend.at) : cardAndHolderFacts(spend.card, spend.at)
  return facts.filter(({ fact }) => fact !== 'snapshot' || spend.undated !== true)
}

export function movementFact (spend: Redemption, route: Route): MovementFact {
  const refund = spend.rollback_id !== undefined
  return {
    fact: 'movement',
    movement_id: keysOf(spend).movement_id,
    card_id: spend.card.id,
    rank: route === 'bare' ? RANK.bare : RANK.enveloped,
    kind: refund ? 'refund' : 'redemption',
    points: refund ? spend.points : -spend.points,
    reported_balance: null,
    occurred_at: instant(spend.at),
    order_id: spend.order?.id ?? null,
    earning_rule_id: null
  }
}

import { Type, type Static, type TObject } from '@sinclair/typebox'
import type { Fact, SourceRank, MovementKind, MovementObservation } from '../../../ledger/facts.ts'
import type { Instant } from '../../../ledger/instant.ts'
import { isObject, type JsonObject } from '../wire/json.ts'
import { idOf } from '../wire/ids.ts'
import { bystanders, about, Card, cardFacts, statedHolder, isLoyaltyCard } from './card.ts'
import { observedOrder } from './order.ts'
import { Described, maybe, UnreadablePayload } from './decoder.ts'
import { details, movementKey, optionalId, requiredId, textIn } from './values.ts'

/** A redemption or a rollback, as the provider's payloads hold it. */
export const Redemption = Type.Object({
  id: maybe(Type.String()),
  date: Described,
  created_at: Described,
  // For a loyalty card these are points. For other vouchers it is money or nothing, which we do not check.
  amount: Described,
  result: Described,
  status: Described,
  reason: Described,
  voucher: maybe(Card),
  /** What was redeemed. In a stack or a referral it is not the card that the payload shows. */
  related_object_id: Described,
  order: Described,
  reward: Described
})
export type Redemption = Static<typeof Redemption>

/** The fields of every payload about a redemption. */
export const redemptionPayload = {
  ...about,
  order: Described,
  redemption: maybe(Redemption),
  reward: Described
}
export type RedemptionPayload = Static<TObject<typeof redemptionPayload>>

/**
 * The loyalty card from which points were spent, or to which they were returned; undefined for other vouchers,
 * promotions and the parent of a stack. The redemption names what was redeemed; where it does not, the payload's own
 * voucher counts, which can be the reward.
 */
export function loyaltyCardOf (data: RedemptionPayload, { voucher: redeemed, related_object_id }: Redemption): Card | undefined {
  const other = typeof related_object_id === 'string' && related_object_id !== data.voucher?.id
  const shown = other ? undefined : data.voucher ?? undefined
  const same = redeemed?.id !== undefined && redeemed.id === shown?.id
  const candidates = same ? [redeemed, shown] : redeemed?.type ? [redeemed] : [shown, redeemed]
  return candidates.find(isLoyaltyCard) ?? undefined
}

/**
 * Where no card was found, a voucher of a wrong kind might have been it: its points would go missing in silence.
 * @param received the payload as it came
 */
export function requireReadVouchers (received: JsonObject): void {
  const parts = [received, received.redemption, received.redemption_rollback]
  const unread = parts.some(part => isObject(part) && part.voucher !== undefined && part.voucher !== null && !isObject(part.voucher))
  if (unread) throw new UnreadablePayload('data.voucher: not an object, and nothing else says from which card points were spent')
}

/** A failed redemption moves nothing. */
export function succeeded ({ result, status }: Redemption): boolean {
  return result !== 'FAILURE' && status !== 'FAILED'
}

/** An amount of points without its sign: rollbacks state it as negative. Null where none is stated. */
export function pointsOf (amount: unknown): bigint | null {
  if (amount === null || amount === undefined) return null
  if (!Number.isSafeInteger(amount)) throw new UnreadablePayload('data.redemption.amount: a whole number of points is needed here, not beyond 2^53 − 1')
  return BigInt(Math.abs(amount as number))
}

export interface Spent {
  entity: 'redemption' | 'rollback'
  id: string
  kind: MovementKind
  /** Signed. */
  points: bigint | null
  source_rank: SourceRank
  occurred_at: Instant
  also: Record<string, unknown>
}

/** Points spent from a card or returned to it, and what the payload says of the card. */
export function spend (data: RedemptionPayload, card: Card, spent: Spent): Fact[] {
  const card_id = requiredId(card.id, 'voucher.id')
  const holder_id = statedHolder({ ...data, voucher: card })
  const movement: MovementObservation = {
    fact: 'movement',
    movement_id: movementKey(spent.entity, spent.id, card_id),
    card_id,
    source_rank: spent.source_rank,
    kind: spent.kind,
    points: spent.points,
    // The card in a redemption is a snapshot, maybe of the state before it: no balance is read from it.
    reported_balance: null,
    occurred_at: spent.occurred_at,
    order_id: idOf(data.order) ?? idOf(data.redemption?.order) ?? null,
    earning_rule_id: null,
    holder_id,
    details: details({ ...rewardOf(data), ...spent.also })
  }
  return [movement, ...cardFacts(card_id, { voucher: card, campaign: data.campaign }, holder_id, spent.occurred_at)]
}

function rewardOf ({ reward, redemption }: RedemptionPayload): Record<string, unknown> {
  const observed = [reward, redemption?.reward].find(isObject)
  return { reward_id: idOf(observed), reward: textIn(observed, 'name') }
}

/** The people and the orders that a payload about a redemption shows, whatever was redeemed. */
export function besideRedemption (data: RedemptionPayload, customer_id: string | null, occurred_at: Instant): Fact[] {
  const orders = [data.order, data.redemption?.order].flatMap(order => observedOrder(order, optionalId(data.customer?.id, 'customer.id') ?? customer_id))
  return bystanders(data, [customer_id, statedHolder(data)], orders, occurred_at)
}

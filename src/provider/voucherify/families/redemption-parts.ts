import { Type, type Static, type TObject } from '@sinclair/typebox'
import type { Fact, Informed, MovementKind, MovementSighting } from '../../../ledger/facts.ts'
import type { Instant } from '../../../ledger/instant.ts'
import { maybe, UnreadablePayload } from './family.ts'
import { about, Card, cardSighting, Customer, details, holderOf, isLoyaltyCard, movementKey, observedOrder, optionalId, Order, people, requiredId } from './parts.ts'

/** A redemption or a rollback, as the provider's payloads hold it. */
export const Redemption = Type.Object({
  id: maybe(Type.String()),
  date: maybe(Type.String()),
  created_at: maybe(Type.String()),
  // Of a loyalty card it is points; of other vouchers it is money or nothing, and not ours to check.
  amount: Type.Optional(Type.Unknown()),
  result: maybe(Type.String()),
  status: maybe(Type.String()),
  reason: Type.Optional(Type.Unknown()),
  customer: maybe(Customer),
  voucher: maybe(Card),
  order: maybe(Order),
  reward: maybe(Type.Object({ id: maybe(Type.String()), name: maybe(Type.String()) }))
})
export type Redemption = Static<typeof Redemption>

/** The fields of every payload about a redemption. */
export const redemptionPayload = {
  ...about,
  order: maybe(Order),
  redemption: maybe(Redemption),
  reward: maybe(Type.Object({ id: maybe(Type.String()), name: maybe(Type.String()) }))
}
export type RedemptionPayload = Static<TObject<typeof redemptionPayload>>

/**
 * The loyalty card that points were spent from or given back to; undefined for other vouchers, promotions and the parent of
 * a stack. The redemption says what was redeemed; the payload's own voucher, which can be the reward, only where it does not.
 */
export function loyaltyCardOf (data: RedemptionPayload, { voucher: redeemed }: Redemption): Card | undefined {
  const shown = data.voucher ?? undefined
  const same = redeemed?.id !== undefined && redeemed.id === shown?.id
  const candidates = same ? [redeemed, shown] : redeemed?.type ? [redeemed] : [shown, redeemed]
  return candidates.find(isLoyaltyCard) ?? undefined
}

/** A failed redemption moves nothing. */
export function succeeded ({ result, status }: Redemption): boolean {
  return result !== 'FAILURE' && status !== 'FAILED'
}

/** An amount of points without its sign: rollbacks tell it negative. Null where none is told. */
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
  informed: Informed
  occurred_at: Instant
  also: Record<string, unknown>
}

/** Points spent from a card or given back to it, with what the payload says of the card. */
export function spend (data: RedemptionPayload, card: Card, spent: Spent): Fact[] {
  const card_id = requiredId(card.id, 'voucher.id')
  const holder_id = holderOf({ ...data, voucher: card })
  const movement: MovementSighting = {
    fact: 'movement',
    movement_id: movementKey(spent.entity, spent.id, card_id),
    card_id,
    informed: spent.informed,
    kind: spent.kind,
    points: spent.points,
    // The card in a redemption is a snapshot that may be the state before it: no balance is read from it.
    reported_balance: null,
    occurred_at: spent.occurred_at,
    order_id: optionalId(data.order?.id ?? data.redemption?.order?.id, 'order.id'),
    earning_rule_id: null,
    holder_id,
    details: details({ reward_id: data.reward?.id ?? data.redemption?.reward?.id, reward: data.reward?.name ?? data.redemption?.reward?.name, ...spent.also })
  }
  return [movement, cardSighting(card_id, { voucher: card, campaign: data.campaign }, holder_id, spent.occurred_at)]
}

/** The people and the orders that a payload about a redemption shows, whatever was redeemed. */
export function bystanders (data: RedemptionPayload, customer_id: string | null, occurred_at: Instant): Fact[] {
  const orders = [data.order, data.redemption?.order].flatMap(order => observedOrder(order, optionalId(data.customer?.id, 'customer.id') ?? customer_id))
  return [
    ...people(occurred_at, [data.customer, data.holder], [customer_id, holderOf(data), ...orders.map(order => order.customer_id)]),
    ...orders
  ]
}

import type { JsonObject } from './event.ts'

/**
 * What a delivery tells, in the oracle's own plain words. The simulator writes them down beside each payload when it makes
 * one; they are never read back out of the payload, so that a mistake in reading cannot hide in its own mirror.
 */
export type Fact = MovementFact | HolderFact | ReleaseFact | CardFact | LotFact | OrderFact | CustomerFact | TierFact

export type Kind =
  | 'opening' | 'accrual' | 'redemption' | 'refund' | 'expiration' | 'addition' | 'removal' | 'transfer_in' | 'transfer_out'

/** How well a telling knows a movement: the provider's own ledger row, an enveloped event, bare data, the price of a reward. */
export const RANK = { transaction: 4, enveloped: 2, bare: 1, priced: 0 } as const
type Rank = typeof RANK[keyof typeof RANK]

export interface MovementFact {
  fact: 'movement'
  movement_id: string
  card_id: string
  rank: Rank
  kind: Kind
  /** Signed; null where the telling does not know. */
  points: number | null
  reported_balance: number | null
  occurred_at: string
  order_id: string | null
  earning_rule_id: string | null
  /** Set where it is sent. */
  observed_in?: Teller
}

/** The event that tells a fact: `key` is the delivery's, which events share that are one to the ledger. */
interface Teller { key: string, event_id: string }

/** The card is held by the customer. */
export interface HolderFact { fact: 'holder', card_id: string, customer_id: string, at: string }
/** The card is no longer held by that customer. */
export interface ReleaseFact { fact: 'release', card_id: string, customer_id: string, at: string }
/** The card is spoken of. What names it never changes; `deleted`: it ends with this telling. */
export interface CardFact { fact: 'card', card_id: string, code: string, campaign: string, campaign_id: string, active: boolean, deleted: boolean, at: string }
/** A lot of pending points; `points` are those outstanding after added and updated. */
export interface LotFact { fact: 'lot', lot_id: string, card_id: string, state: LotState, points: number, activates_on: string, at: string }
export type LotState = 'added' | 'updated' | 'activated' | 'canceled'

/** A customer's whole profile; `deleted`: it ends with this telling. */
export interface CustomerFact {
  fact: 'customer'
  customer_id: string
  source_id: string
  name: string
  email: string | null
  metadata: JsonObject
  deleted: boolean
  at: string
}

/** A step between the tiers of a programme; `tier` is the one they are in afterwards, or the one they left. */
export interface TierFact { fact: 'tier', customer_id: string, campaign_id: string, change: TierChange, tier_id: string, tier: string, at: string }
export type TierChange = 'joined' | 'left' | 'prolonged' | 'upgraded' | 'downgraded'

/** One state of an order, whole. */
export interface OrderFact {
  fact: 'order'
  order_id: string
  customer_id: string
  source_id: string | null
  status: OrderStatus
  amount: number
  /** Where it was changed since; null: not told. */
  initial_amount: number | null
  discount_amount: number | null
  total_discount_amount: number | null
  total_amount: number
  items: readonly JsonObject[]
  metadata: JsonObject
  created_at: string
  updated_at: string
}
export type OrderStatus = 'CREATED' | 'PAID' | 'FULFILLED' | 'CANCELED'

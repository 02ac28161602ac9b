import type { JsonObject } from './json.ts'

/**
 * What a delivery states, for the oracle. The simulator makes facts beside each payload and never reads them back out
 * of the payload, so that the oracle does not repeat a mistake of the ledger in reading payloads.
 */
export type Fact = MovementFact | SnapshotFact | HolderFact | ReleaseFact | CardFact | LotFact | OrderFact | CustomerFact | TierFact

export type Kind =
  | 'opening' | 'accrual' | 'redemption' | 'refund' | 'expiration' | 'addition' | 'removal' | 'transfer_in' | 'transfer_out'

/** Source ranks: a row of the provider's own ledger, an enveloped event, bare data, the price of a reward. */
export const RANK = { transaction: 4, enveloped: 2, bare: 1, priced: 0 } as const
type Rank = typeof RANK[keyof typeof RANK]

export interface MovementFact {
  fact: 'movement'
  movement_id: string
  card_id: string
  rank: Rank
  kind: Kind
  /** Signed; null if not stated. */
  points: number | null
  reported_balance: number | null
  /** The balance of a snapshot in the same event that is dated at the movement; absent if there is none. */
  observed_balance?: number
  occurred_at: string
  order_id: string | null
  earning_rule_id: string | null
  /** Set when it is sent. */
  observed_in?: ObservedIn
}

/** What a payload shows of a card as of a time; `pending`: null if it does not show it. */
export interface SnapshotFact { fact: 'snapshot', card_id: string, balance: number | null, pending: number | null, at: string, observed_in?: ObservedIn }

/** The event that states a fact. `key` is that of the delivery: equal keys are one event to the ledger. */
interface ObservedIn { key: string, event_id: string }

/** The card is held by the customer. */
export interface HolderFact { fact: 'holder', card_id: string, customer_id: string, at: string }
/** The card is no longer held by that customer. */
export interface ReleaseFact { fact: 'release', card_id: string, customer_id: string, at: string }
/** State of a card. Its code and campaign never change; `deleted`: it is deleted with this observation. */
export interface CardFact { fact: 'card', card_id: string, code: string, campaign: string, campaign_id: string, active: boolean, deleted: boolean, at: string }
/** A lot of pending points; `points` are outstanding in the states added and updated. */
export interface LotFact { fact: 'lot', lot_id: string, card_id: string, state: LotState, points: number, activates_on: string, at: string }
export type LotState = 'added' | 'updated' | 'activated' | 'canceled'

/** A customer's whole profile; `deleted`: the customer is deleted with this observation. */
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

/** A change of tier in a programme; `tier` is the one after the change, or the one that was left. */
export interface TierFact { fact: 'tier', customer_id: string, campaign_id: string, change: TierChange, tier_id: string, tier: string, at: string }
export type TierChange = 'joined' | 'left' | 'prolonged' | 'upgraded' | 'downgraded'

/** One whole state of an order. */
export interface OrderFact {
  fact: 'order'
  order_id: string
  customer_id: string
  source_id: string | null
  status: OrderStatus
  amount: number
  /** The amount before a change; null: not stated. */
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

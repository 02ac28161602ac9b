import type { Instant } from './instant.ts'

/**
 * What one stored event tells, in the ledger's own words. A provider turns its payloads into these;
 * the projections fold them. One event can tell several facts.
 */
export type Fact = MovementObservation | PendingObservation | CardObservation | CustomerObservation | TierObservation | OrderObservation

/** Kinds of movement, by what happened to the points. `opening`: what the card held when it was made. */
export type MovementKind =
  | 'opening' | 'accrual' | 'redemption' | 'refund' | 'expiration' | 'addition' | 'removal' | 'transfer_in' | 'transfer_out'

/**
 * How well informed a source is about a movement. A row of the provider's own card ledger beats the same row out of
 * an export (which may cut its time), that an enveloped event, that bare data; last comes what a price list says.
 */
export const SOURCE_RANK = { priced: 0, bare: 1, enveloped: 2, exported: 3, transaction: 4 } as const
export type SourceRank = typeof SOURCE_RANK[keyof typeof SOURCE_RANK]

/** One telling of one signed change of a card's available points. */
export interface MovementObservation {
  fact: 'movement'
  movement_id: string
  card_id: string
  source_rank: SourceRank
  kind: MovementKind
  /** Signed; null where the telling does not say how many. */
  points: bigint | null
  /** The card's available points after the movement, as the provider states it. */
  reported_balance: bigint | null
  occurred_at: Instant
  order_id: string | null
  earning_rule_id: string | null
  /** Who held the card, as the telling says. */
  holder_id: string | null
  /** What else explains it (the provider's row, a reason, expired buckets …), as JSON text; for people, never merged. */
  details: string | null
}

/** A lot of pending points goes through these states; the last two end it. */
export type PendingState = 'added' | 'updated' | 'activated' | 'canceled'

/** One observed state of a lot of points that are promised and not yet available. */
export interface PendingObservation {
  fact: 'pending'
  pending_id: string
  card_id: string
  state: PendingState
  /** Outstanding after it; 0 once the lot has ended. */
  points: bigint
  /** A day in the project's time zone. */
  activates_on: string | null
  occurred_at: Instant
  order_id: string | null
  earning_rule_id: string | null
  holder_id: string | null
}

/** What an event says about a card itself. A field that the event does not carry is absent. */
export interface CardObservation {
  fact: 'card'
  card_id: string
  occurred_at: Instant
  /** `active` is 'true' or 'false'. */
  fields: Partial<Record<CardField, string | null>>
  /** Who holds it. */
  holder_id?: string
  /** Who holds it no more. */
  released_id?: string
}
export type CardField = 'code' | 'campaign_id' | 'campaign' | 'active' | 'deleted_at'

/** What an event says about a customer. A field that the event does not carry is absent; null is a value. */
export interface CustomerObservation {
  fact: 'customer'
  customer_id: string
  occurred_at: Instant
  /** `metadata` is JSON text. */
  fields: Partial<Record<CustomerField, string | null>>
}
export type CustomerField = 'source_id' | 'name' | 'email' | 'metadata' | 'deleted_at'

export type TierChange = 'joined' | 'upgraded' | 'downgraded' | 'prolonged' | 'left'

/** A customer's step between the tiers of a loyalty programme. */
export interface TierObservation {
  fact: 'tier'
  customer_id: string
  campaign_id: string
  change: TierChange
  /** The tier they are in afterwards; null after `left`. */
  tier_id: string | null
  tier: string | null
  /** The tier they were in before, where it is told. */
  from_tier_id: string | null
  from_tier: string | null
  occurred_at: Instant
}

/** One observed state of an order. Amounts are integers in the currency's minor unit; absent is null, never 0. */
export interface OrderObservation {
  fact: 'order'
  order_id: string
  customer_id: string | null
  source_id: string | null
  status: string
  amount: bigint | null
  initial_amount: bigint | null
  discount_amount: bigint | null
  items_discount_amount: bigint | null
  total_discount_amount: bigint | null
  total_amount: bigint | null
  /** JSON text. */
  items: string | null
  /** JSON text. */
  metadata: string | null
  created_at: Instant | null
  updated_at: Instant
  /** Over every field above, canonical: the last word between two states of one time and status. */
  state_digest: string
}

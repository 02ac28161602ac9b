import type { Instant } from './instant.ts'

/**
 * What one stored event tells, in the ledger's own words. A provider turns its payloads into these;
 * the projections fold them. One event can tell several facts.
 */
export type Fact = MovementSighting | CardSighting | CustomerSighting | OrderSighting

/** Kinds of movement, by what happened to the points. */
export type MovementKind =
  | 'accrual' | 'redemption' | 'refund' | 'expiration' | 'addition' | 'removal' | 'transfer_in' | 'transfer_out'

/**
 * How well informed a source is about a movement. A row of the provider's own card
 * ledger beats an enveloped event, which beats bare data.
 */
export const INFORMED = { bare: 1, enveloped: 2, transaction: 3 } as const
export type Informed = typeof INFORMED[keyof typeof INFORMED]

/** One telling of one signed change of a card's available points. */
export interface MovementSighting {
  fact: 'movement'
  movement_id: string
  card_id: string
  informed: Informed
  kind: MovementKind
  /** Signed. */
  points: bigint
  /** The card's available points after the movement, as the provider states it. */
  reported_balance: bigint | null
  occurred_at: Instant
  order_id: string | null
  earning_rule_id: string | null
}

/** What an event says about a card itself. A field that the event does not carry is absent. */
export interface CardSighting {
  fact: 'card'
  card_id: string
  occurred_at: Instant
  fields: Partial<Record<CardField, string | null>>
}
export type CardField = 'code' | 'campaign_id' | 'campaign' | 'customer_id'

/** What an event says about a customer. A field that the event does not carry is absent; null is a value. */
export interface CustomerSighting {
  fact: 'customer'
  customer_id: string
  occurred_at: Instant
  /** `metadata` is JSON text. */
  fields: Partial<Record<CustomerField, string | null>>
}
export type CustomerField = 'source_id' | 'name' | 'email' | 'metadata'

/** One observed state of an order. Amounts are integers in the currency's minor unit; absent is null, never 0. */
export interface OrderSighting {
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

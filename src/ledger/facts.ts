import type { Instant } from './instant.ts'

/*
 * Glossary. Code, tables, routes, commands and docs use these words for these things.
 *
 * delivery          one HTTP POST from the provider; several deliveries can carry the same event
 * event             one fact the provider reported, stored once for ever; its key is (event_id, subject)
 * subject           what an event is about, as a natural key: `award:ern_…:v_…`, `order:ord_…`, `transaction:vtx_…`
 * shard             one of a fixed number of streams of the log: hash(customer id) mod N; order holds inside a shard
 * position          an event's place in its shard: 1, 2, 3 … without gaps; written `shard:position` outside (`7:123`)
 * quarantine        where an authentic delivery is kept that could not be processed: byte for byte, and redrivable
 * card              a loyalty card; a customer can hold several
 * observation       what one event says about one thing: a movement, a card, a holder, a customer, an order's state
 * source rank       how good the source of an observation is; the higher rank wins field by field
 * movement          one signed change of a card's available points, merged from all its observations
 * opening           what a card held before its first known movement
 * reported balance  the card's balance after a movement, as the provider states it
 * snapshot          what the provider shows of a card as of a time: its balance and its pending points
 * unexplained       points that the reported balances show moved although no known movement explains it
 * statement line    one line of a card's account: a movement, the opening, or unexplained points
 * ordinal           the rank of a statement line among the card's lines with the same `occurred_at`
 * bucket            points of a card that expire together, on one day
 * lot               pending points that were promised together and become available, or are canceled, together
 * occurred_at       when it happened at the provider
 * recorded_at       when this ledger first stored it
 * as of             the two times a question can name: `at` bounds occurred_at, `known_at` bounds recorded_at
 * field times       for each field of a card or customer, the time of the observation that set it
 * projection        tables derived from the log: versioned, disposable, rebuildable
 * checkpoint        the position up to which a projection has folded a shard
 * projection schema the PostgreSQL schema with one set of projection tables: the live one, or one being rebuilt
 * outdated          said of projection rows that another version of the rules folded
 * parked            said of a card or order that receives no more events because one could not be folded
 * anchor            signed heads of all shards, kept outside the database
 */

/**
 * What one stored event says, in the ledger's own terms. A provider turns its payloads into facts; the projections fold
 * them. One event can carry several facts.
 */
export type Fact = MovementObservation | SnapshotObservation | PendingObservation | CardObservation | CustomerObservation | TierObservation | OrderObservation | ExpirationObservation | UnreadObservation

/** Kinds of movement, by what happened to the points. `opening`: what the card held when it was created. */
export type MovementKind =
  | 'opening' | 'accrual' | 'redemption' | 'refund' | 'expiration' | 'addition' | 'removal' | 'transfer_in' | 'transfer_out'

/**
 * How good a source is about a movement; the higher rank wins. A row of the provider's own card ledger beats the same
 * row from an export (which may truncate its time), which beats an enveloped event, which beats bare data. Last comes
 * an amount taken from a price list.
 */
export const SOURCE_RANK = { priced: 0, bare: 1, enveloped: 2, exported: 3, transaction: 4 } as const
export type SourceRank = typeof SOURCE_RANK[keyof typeof SOURCE_RANK]

/** What one event says about one movement. */
export interface MovementObservation {
  fact: 'movement'
  movement_id: string
  card_id: string
  source_rank: SourceRank
  kind: MovementKind
  /** Signed; null where the event does not say how many. */
  points: bigint | null
  /** The card's available points after the movement, as the provider states it. */
  reported_balance: bigint | null
  /** The card's available points after it by a snapshot in the same event, where the movement itself states none. */
  observed_balance?: bigint | null
  occurred_at: Instant
  order_id: string | null
  earning_rule_id: string | null
  /** Who held the card, as the event says. */
  holder_id: string | null
  /** Further explanation for people (the provider's row, a reason, expired buckets …), as JSON text. Never merged. */
  details: string | null
}

/**
 * What a card held as of a time, as an event shows it. It is no balance of the event's own: the time is that of the
 * last change of the card, which can be before the event. A figure that is not shown is null; one of them is shown.
 */
export interface SnapshotObservation {
  fact: 'snapshot'
  card_id: string
  /** Available points. */
  balance: bigint | null
  /** Pending points of all lots together. */
  pending: bigint | null
  occurred_at: Instant
}

/** The states of a lot of pending points; the last two end it. */
export type PendingState = 'added' | 'updated' | 'activated' | 'canceled'

/** One observed state of a lot of pending points: promised, not yet available. */
export interface PendingObservation {
  fact: 'pending'
  pending_id: string
  card_id: string
  state: PendingState
  /** Still pending after this state; 0 once the lot has ended. */
  points: bigint
  /** A day in the project's time zone. */
  activates_on: string | null
  occurred_at: Instant
  order_id: string | null
  earning_rule_id: string | null
  holder_id: string | null
}

/** What one source states about a bucket, as of a time: points of a card that expire together. */
export interface ExpirationObservation {
  fact: 'expiration'
  bucket_id: string
  card_id: string
  campaign_id: string | null
  /** As the provider writes it: ACTIVE or EXPIRED. */
  status: string
  /** Left in the bucket, or expired with it; null where that is not stated. */
  points: bigint | null
  /** A day in the project's time zone. */
  expires_on: string | null
  /** As of when. */
  occurred_at: Instant
}

/** What one event says about a card itself. A field that the event does not carry is absent. */
export interface CardObservation {
  fact: 'card'
  card_id: string
  occurred_at: Instant
  /** `active` is 'true' or 'false'. */
  fields: Partial<Record<CardField, string | null>>
  /** Who holds the card; NOBODY: it says that nobody does. */
  holder_id?: string
  /** Who no longer holds the card. */
  released_id?: string
}
/** Stands for the holder of a card that has none. No customer has this id. */
export const NOBODY = ''
export type CardField = 'code' | 'campaign_id' | 'campaign' | 'active' | 'deleted_at'

/** What one event says about a customer. A field that the event does not carry is absent; null is a value. */
export interface CustomerObservation {
  fact: 'customer'
  customer_id: string
  occurred_at: Instant
  /** `metadata` is JSON text. */
  fields: Partial<Record<CustomerField, string | null>>
}
export type CustomerField = 'source_id' | 'name' | 'email' | 'metadata' | 'deleted_at'

export type TierChange = 'joined' | 'upgraded' | 'downgraded' | 'prolonged' | 'left'

/** A customer's move between the tiers of a loyalty programme. */
export interface TierObservation {
  fact: 'tier'
  customer_id: string
  campaign_id: string
  change: TierChange
  /** The customer's tier afterwards; null after `left`. */
  tier_id: string | null
  tier: string | null
  /** The customer's tier before, where the event names it. */
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
  /** Digest of every field above, in canonical form: decides between two states with the same time and status. */
  state_digest: string
}

/** An event of a type that nobody reads: it is stored, and all that is known of it is that it is there. */
export interface UnreadObservation {
  fact: 'unread'
  type: string
}

import type { Micros } from './clock.ts'
import type { Kind, OrderStatus } from './facts.ts'
import type { JsonObject } from './event.ts'
import type { Row } from './payloads/transaction.ts'

/** The provider's own objects. What is `readonly` throughout is a snapshot: a change makes another object, events keep theirs. */

export interface Profile {
  readonly id: string
  readonly source_id: string
  readonly name: string
  readonly email: string | null
  readonly metadata: JsonObject
  readonly created_at: Micros
}

export interface Customer {
  now: Profile
  readonly cards: Card[]
  tier: Tier | undefined
  deleted: boolean
}

export interface Campaign {
  readonly id: string
  readonly name: string
  readonly created_at: Micros
  readonly rules: readonly Rule[]
  readonly tiers: readonly Tier[]
  readonly reward: Reward
  /** Days until points of an order can be spent; 0: at once. */
  readonly pending_days: number
}

export interface Rule {
  readonly id: string
  readonly banner: string
  /** FIXED gives `points`; PROPORTIONAL gives them for `every` so many minor units of the order's total. */
  readonly type: 'FIXED' | 'PROPORTIONAL'
  readonly points: number
  readonly every: number
  readonly created_at: Micros
}

export interface Tier { readonly id: string, readonly name: string, readonly from: number, readonly created_at: Micros }
export interface Reward { readonly id: string, readonly assignment_id: string, readonly name: string, readonly points: number }

/** A card as it stands; replaced on every change. */
export interface CardState {
  readonly id: string
  readonly code: string
  readonly campaign: Campaign
  readonly holder: Profile | undefined
  readonly balance: number
  readonly pending: number
  readonly active: boolean
  readonly created_at: Micros
  readonly updated_at: Micros
}

export interface Card {
  now: CardState
  /** All that really moved its points, oldest first. */
  readonly movements: Movement[]
  /** The provider's own ledger of it, oldest first: what an export holds. */
  readonly rows: Row[]
  readonly lots: Lot[]
  deleted: boolean
  /** Nobody was told of its making: the subscription is younger than the card. */
  readonly older: boolean
}

/** One true movement. */
export interface Movement {
  readonly movement_id: string
  readonly kind: Kind
  /** Signed. */
  readonly points: number
  /** The card's available points after it. */
  readonly balance: number
  readonly at: Micros
}

/** An order as it stands; replaced on every change. */
export interface OrderState {
  readonly id: string
  readonly source_id: string | null
  readonly customer: Profile
  readonly status: OrderStatus
  readonly amount: number
  /** What it was before it was changed; null: it was not. */
  readonly initial_amount: number | null
  /** 0: there is none, and the provider leaves the field out. */
  readonly discount: number
  readonly items: readonly JsonObject[]
  readonly metadata: JsonObject
  readonly created_at: Micros
  readonly updated_at: Micros
}

export interface Order {
  now: OrderState
  readonly customer: Customer
  /** What it earned and was not taken back yet. */
  readonly earned: Earning[]
}
interface Earning { readonly card: Card, readonly rule: Rule, readonly points: number, readonly trigger: Trigger }

/** The event that made points be earned. */
export interface Trigger { readonly id: string, readonly at: Micros, readonly group_id: string, readonly customer_id: string }

/** Pending points of one award, on their way to be available. */
export interface Lot {
  readonly id: string
  readonly rule: Rule
  readonly order: OrderState
  readonly trigger: Trigger
  readonly created_at: Micros
  points: number
}

/** A spend that can still be given back. */
export interface Spend {
  readonly id: string
  readonly card: Card
  readonly points: number
  readonly transaction_id: string
}

/** A row of a gift card, of credits: as an export shows it, no card of ours. */
export interface GiftRow {
  readonly id: string
  readonly voucher_id: string
  readonly campaign_id: string
  readonly type: 'CREDITS_ADDITION' | 'CREDITS_REDEMPTION'
  readonly amount: number
  readonly balance: number
  readonly at: Micros
  readonly holder: Profile
  /** Nothing but the row's type says that it is no loyalty card. */
  readonly untyped: boolean
}

export interface World {
  readonly campaigns: readonly Campaign[]
  readonly customers: Customer[]
  readonly cards: Card[]
  readonly orders: Order[]
  readonly gifts: GiftRow[]
}

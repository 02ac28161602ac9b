import type { Micros } from './clock.ts'
import type { Kind, OrderStatus } from './facts.ts'
import type { JsonObject } from './json.ts'

// The provider's own objects. An object with only `readonly` members is a snapshot: a change makes another one, and
// events keep theirs.

export interface Profile {
  readonly id: string
  readonly source_id: string
  readonly name: string
  readonly email: string | null
  readonly metadata: JsonObject
  readonly created_at: Micros
  readonly updated_at: Micros
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
  /** Days until the points of an order can be spent; 0: at once. */
  readonly pending_days: number
}

export interface Rule {
  readonly id: string
  readonly banner: string
  /** FIXED gives `points`; PROPORTIONAL gives `points` for each `every` minor units of the order's total. */
  readonly type: 'FIXED' | 'PROPORTIONAL'
  readonly points: number
  readonly every: number
  readonly created_at: Micros
}

export interface Tier { readonly id: string, readonly name: string, readonly from: number, readonly created_at: Micros }
export interface Reward { readonly id: string, readonly assignment_id: string, readonly name: string, readonly points: number }

/** The state of a card; replaced on every change. */
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
  /** All movements, sent or not, oldest first. */
  readonly movements: Movement[]
  /** The provider's own ledger of the card, oldest first: an export contains these rows. */
  readonly rows: Row[]
  readonly lots: Lot[]
  deleted: boolean
  /** The card is older than the subscription: its creation is not sent. */
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

/** One row of the provider's own ledger of a card. */
export interface Row {
  readonly id: string
  readonly movement_id: string
  readonly kind: Kind
  readonly type: string
  /** The card after the movement. */
  readonly card: CardState
  readonly points: number
  readonly at: Micros
  readonly details: JsonObject
  readonly reason?: string
  readonly related_id?: string
  readonly order?: OrderState
  readonly rule_id?: string
  /** The lot of pending points that becomes available with it. */
  readonly lot?: { id: string, activates_on: string }
  /** True: the row's details lack the balance, and the payload states it beside the row. */
  readonly balance_beside: boolean
}

/** The state of an order; replaced on every change. */
export interface OrderState {
  readonly id: string
  readonly source_id: string | null
  readonly customer: Profile
  readonly status: OrderStatus
  readonly amount: number
  /** The amount before the order was changed; null: it was not. */
  readonly initial_amount: number | null
  /** 0: no discount, and the provider omits the field. */
  readonly discount: number
  readonly items: readonly JsonObject[]
  readonly metadata: JsonObject
  readonly created_at: Micros
  readonly updated_at: Micros
}

export interface Order {
  now: OrderState
  readonly customer: Customer
  /** What it earned, less what was taken back. */
  readonly earned: Earning[]
}
interface Earning { readonly card: Card, readonly rule: Rule, readonly points: number, readonly trigger: Trigger }

/** The event that caused an award. */
export interface Trigger { readonly id: string, readonly at: Micros, readonly group_id: string, readonly customer_id: string }

/** The pending points of one award. */
export interface Lot {
  readonly id: string
  readonly rule: Rule
  readonly order: OrderState
  readonly trigger: Trigger
  readonly created_at: Micros
  /** Absent: not changed since it was added. */
  updated_at?: Micros
  points: number
}

/** A spend that can still be given back. */
export interface Spend {
  readonly id: string
  readonly card: Card
  readonly points: number
  readonly transaction_id: string
}

/** A row of a gift card: credits, no points. An export contains it. */
export interface GiftRow {
  readonly id: string
  readonly voucher_id: string
  readonly campaign_id: string
  readonly type: 'CREDITS_ADDITION' | 'CREDITS_REDEMPTION'
  readonly amount: number
  readonly balance: number
  readonly at: Micros
  readonly holder: Profile
  /** True: only the row's type says that it is not a loyalty card. */
  readonly untyped: boolean
}

export interface World {
  readonly campaigns: readonly Campaign[]
  readonly customers: Customer[]
  readonly cards: Card[]
  readonly orders: Order[]
  readonly gifts: GiftRow[]
}

import type { OrderObservation } from './facts.ts'
import type { Instant } from './instant.ts'
import { compareText } from './text.ts'

/** One state an order was observed in, with the earliest event that told it. */
export interface OrderState extends Omit<OrderObservation, 'fact'> {
  status_rank: number
  recorded_at: Instant
  event_id: string
  subject: string
}

// An order's states in the order it goes through them. A status we do not know ranks below all: it is kept as
// history, and never hides one whose meaning we know.
const STATUSES = ['CREATED', 'PAID', 'FULFILLED', 'CANCELED']

/** The rank that settles which of two states of the same `updated_at` is newer. */
export function statusRank (status: string): number {
  return STATUSES.indexOf(status)
}

/** Newest last: by (updated_at, status rank, digest). Zero means the same state. */
export function compareStates (a: OrderState, b: OrderState): number {
  return compareText(a.updated_at, b.updated_at) ||
    a.status_rank - b.status_rank ||
    compareText(a.state_digest, b.state_digest)
}

/** Of two tellings of the same state the earlier one is kept: by (recorded_at, event_id, subject). */
export function compareOrderObservations (a: OrderState, b: OrderState): number {
  return compareText(a.recorded_at, b.recorded_at) ||
    compareText(a.event_id, b.event_id) ||
    compareText(a.subject, b.subject)
}

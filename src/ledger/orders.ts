import type { OrderObservation } from './facts.ts'
import type { Instant } from './instant.ts'
import { compareText } from './text.ts'

/** One state an order was observed in, with the earliest event that reported it. */
export interface OrderState extends Omit<OrderObservation, 'fact'> {
  status_rank: number
  recorded_at: Instant
  event_id: string
  subject: string
}

// Statuses in the order in which an order passes through them. An unknown status ranks below all of them: it is kept as
// history and never hides a known one.
const STATUSES = ['CREATED', 'PAID', 'FULFILLED', 'CANCELED']

/** Decides which of two states with the same `updated_at` is newer; −1 for an unknown status. */
export function statusRank (status: string): number {
  return STATUSES.indexOf(status)
}

/** Sorts oldest first, by (updated_at, status rank, digest). Zero means the same state. */
export function compareStates (a: OrderState, b: OrderState): number {
  return compareText(a.updated_at, b.updated_at) ||
    a.status_rank - b.status_rank ||
    compareText(a.state_digest, b.state_digest)
}

/** Sorts observations of the same state by (recorded_at, event_id, subject); the first one is kept. */
export function compareOrderObservations (a: OrderState, b: OrderState): number {
  return compareText(a.recorded_at, b.recorded_at) ||
    compareText(a.event_id, b.event_id) ||
    compareText(a.subject, b.subject)
}

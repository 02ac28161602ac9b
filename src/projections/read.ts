import { factsOf } from '../provider/voucherify/delivery.ts'
import type { StoredEvent } from '../store/events.ts'
import type { Told } from './projection.ts'

/** A stored event with the facts it tells, or with why this version of the code cannot read it. */
export interface ReadEvent {
  event: StoredEvent
  told: Told[]
  unreadable?: Error
}

/** Reads what an event tells. A test delivery tells nothing. */
export function readEvent (event: StoredEvent): ReadEvent {
  if (event.test) return { event, told: [] }
  const { event_id, subject, received_at: recorded_at, fact_digest } = event
  try {
    return { event, told: factsOf(event.body).map(fact => ({ fact, event_id, subject, recorded_at, fact_digest })) }
  } catch (error) {
    return { event, told: [], unreadable: error as Error }
  }
}

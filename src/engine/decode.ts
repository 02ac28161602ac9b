import { factsOf } from '../providers/voucherify/identify.ts'
import type { StoredEvent } from '../log/read.sql.ts'
import type { Observed } from './projection.ts'

/**
 * A stored event with the facts it tells, or with why this version of the code cannot read it. Only then its body is kept:
 * those of a whole batch would be carried from one collection of garbage to the next.
 */
export interface DecodedEvent {
  event: Pick<StoredEvent, 'event_id' | 'subject' | 'position'>
  observed: Observed[]
  unreadable?: { error: Error, body: string }
}

/** Reads what an event tells. A test delivery tells nothing. */
export function decodeEvent ({ event_id, subject, position, recorded_at, fact_digest, test, body }: StoredEvent): DecodedEvent {
  const event = { event_id, subject, position }
  if (test) return { event, observed: [] }
  try {
    return { event, observed: factsOf(body).map(fact => ({ fact, event_id, subject, recorded_at, fact_digest })) }
  } catch (error) {
    return { event, observed: [], unreadable: { error: error as Error, body } }
  }
}

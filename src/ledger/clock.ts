import type { Fact } from './facts.ts'
import type { Instant } from './instant.ts'
import { apart } from './instant-distance.ts'

/** What is dated later than this after it was stored is dated by a wrong clock: other time zones are less apart. */
const DAY_MICROSECONDS = 86_400_000_000

/** True for a time that is more than a day later than when it was stored. */
export function isAhead (occurred_at: Instant, recorded_at: Instant): boolean {
  return occurred_at > recorded_at && apart(occurred_at, recorded_at) > DAY_MICROSECONDS
}

/**
 * A fact that is dated in the future counts from when it was stored: else everything that happens until that future
 * would come before it, and change nothing. The states of an order keep their times, which are in their digests.
 */
export function asOfStorage<F extends Fact> (fact: F, recorded_at: Instant): F {
  return fact.fact === 'order' || fact.fact === 'unread' || !isAhead(fact.occurred_at, recorded_at) ? fact : { ...fact, occurred_at: recorded_at }
}

import type { MovementKind, MovementSighting } from './facts.ts'
import type { Instant } from './instant.ts'
import { compareText } from './text.ts'

/** A sighting with what is known of the event that told it. */
export interface RecordedSighting extends Omit<MovementSighting, 'fact'> {
  event_id: string
  subject: string
  recorded_at: Instant
  /** Hex. */
  fact_digest: string
}

/** One signed change of a card's available points, merged from every sighting of it. */
export interface Movement {
  movement_id: string
  card_id: string
  kind: MovementKind
  points: bigint
  reported_balance: bigint | null
  occurred_at: Instant
  /** When we first stored an event that told it. */
  recorded_at: Instant
  order_id: string | null
  earning_rule_id: string | null
  /** The best-informed event that told it. */
  event_id: string
}

/**
 * Merges the sightings of one movement (docs/architecture.md, Movements): the better-informed source wins field by field, ties by the
 * smaller (occurred_at, fact_digest); `recorded_at` is the earliest. The result depends on the set of sightings only.
 * @param sightings at least one, all of the same movement
 */
export function mergeSightings (sightings: readonly RecordedSighting[]): Movement {
  const ranked = [...sightings].sort(compareSightings)
  const best = ranked[0]
  if (best === undefined) throw new RangeError('a movement needs at least one sighting')
  return {
    movement_id: best.movement_id,
    card_id: best.card_id,
    kind: best.kind,
    points: best.points,
    reported_balance: firstKnown(ranked, 'reported_balance'),
    occurred_at: best.occurred_at,
    recorded_at: ranked.reduce((earliest, s) => s.recorded_at < earliest ? s.recorded_at : earliest, best.recorded_at),
    order_id: firstKnown(ranked, 'order_id'),
    earning_rule_id: firstKnown(ranked, 'earning_rule_id'),
    event_id: best.event_id
  }
}

function firstKnown<Field extends 'reported_balance' | 'order_id' | 'earning_rule_id'> (
  ranked: readonly RecordedSighting[], field: Field
): RecordedSighting[Field] | null {
  return ranked.find(sighting => sighting[field] !== null)?.[field] ?? null
}

// The key of the telling event comes last: two tellings equal in all that counts still need one order.
function compareSightings (a: RecordedSighting, b: RecordedSighting): number {
  return b.informed - a.informed ||
    compareText(a.occurred_at, b.occurred_at) ||
    compareText(a.fact_digest, b.fact_digest) ||
    compareText(a.event_id, b.event_id) ||
    compareText(a.subject, b.subject)
}

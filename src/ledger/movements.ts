import type { MovementKind, MovementObservation } from './facts.ts'
import type { Instant } from './instant.ts'
import { compareText } from './text.ts'

/** A sighting with what is known of the event that told it. */
export interface RecordedObservation extends Omit<MovementObservation, 'fact'> {
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

/** The fields of a movement that its sightings are merged into, each from the best sighting that tells it. */
export type MergedField = 'kind' | 'points' | 'reported_balance' | 'occurred_at' | 'order_id' | 'earning_rule_id'

export interface Winners<Observation> {
  /** Best first. */
  ranked: Observation[]
  best: Observation | undefined
  of: (field: MergedField) => Observation | undefined
}

/**
 * Which sighting of a movement wins which field (docs/architecture.md, Movements): the better-informed source, ties by
 * the smaller (occurred_at, fact_digest). A field that no sighting tells has no winner.
 * @param sightings of one movement, in any order
 */
export function winners<Observation extends RecordedObservation> (observations: readonly Observation[]): Winners<Observation> {
  const ranked = [...observations].sort(compareObservations)
  return { ranked, best: ranked[0], of: field => ranked.find(observation => observation[field] !== null) }
}

/**
 * Merges the sightings of one movement, field by field; `recorded_at` is the earliest. The result depends on the set of
 * sightings only.
 * @param sightings at least one, all of the same movement
 * @returns undefined when none of them says how many points moved: it may have happened, but there is nothing to count
 */
export function mergeObservations (observations: readonly RecordedObservation[]): Movement | undefined {
  const { best, of } = winners(observations)
  if (best === undefined) throw new RangeError('a movement needs at least one sighting')
  const points = of('points')?.points ?? null
  if (points === null) return undefined
  return {
    movement_id: best.movement_id,
    card_id: best.card_id,
    kind: best.kind,
    points,
    reported_balance: of('reported_balance')?.reported_balance ?? null,
    occurred_at: best.occurred_at,
    recorded_at: observations.reduce((earliest, s) => s.recorded_at < earliest ? s.recorded_at : earliest, best.recorded_at),
    order_id: of('order_id')?.order_id ?? null,
    earning_rule_id: of('earning_rule_id')?.earning_rule_id ?? null,
    event_id: best.event_id
  }
}

// The key of the telling event comes last: two tellings equal in all that counts still need one order.
function compareObservations (a: RecordedObservation, b: RecordedObservation): number {
  return b.source_rank - a.source_rank ||
    compareText(a.occurred_at, b.occurred_at) ||
    compareText(a.fact_digest, b.fact_digest) ||
    compareText(a.event_id, b.event_id) ||
    compareText(a.subject, b.subject)
}

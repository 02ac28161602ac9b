import type { MovementKind, MovementObservation } from './facts.ts'
import type { Instant } from './instant.ts'
import { compareText } from './text.ts'

/** An observation of a movement, with the event it comes from. */
export interface RecordedObservation extends Omit<MovementObservation, 'fact'> {
  event_id: string
  subject: string
  recorded_at: Instant
  /** Hex. */
  fact_digest: string
}

/** One signed change of a card's available points, merged from all its observations. */
export interface Movement {
  movement_id: string
  card_id: string
  kind: MovementKind
  points: bigint
  reported_balance: bigint | null
  occurred_at: Instant
  /** When we first stored an observation of it. */
  recorded_at: Instant
  order_id: string | null
  earning_rule_id: string | null
  /** The event of the best observation. */
  event_id: string
}

/** The fields of a movement that are merged, each from the best observation that states it. */
export type MergedField = 'kind' | 'points' | 'reported_balance' | 'occurred_at' | 'order_id' | 'earning_rule_id'

export interface Winners<Observation> {
  /** Best first. */
  ranked: Observation[]
  best: Observation | undefined
  of: (field: MergedField) => Observation | undefined
}

/**
 * Decides which observation of a movement wins which field (docs/architecture.md, Movements): the one with the higher
 * source rank, then the one with the smaller (occurred_at, fact_digest). A field that no observation states has no
 * winner.
 * @param observations of one movement, in any order
 */
export function winners<Observation extends RecordedObservation> (observations: readonly Observation[]): Winners<Observation> {
  const ranked = [...observations].sort(compareObservations)
  return { ranked, best: ranked[0], of: field => ranked.find(observation => observation[field] !== null) }
}

/**
 * Merges the observations of one movement field by field; `recorded_at` is the earliest. The result depends only on the
 * set of observations.
 * @param observations at least one, all of the same movement
 * @returns undefined when none of them says how many points moved: there is nothing to count
 */
export function mergeObservations (observations: readonly RecordedObservation[]): Movement | undefined {
  const { best, of } = winners(observations)
  if (best === undefined) throw new RangeError('a movement needs at least one observation')
  const points = of('points')?.points ?? null
  if (points === null) return undefined
  return {
    movement_id: best.movement_id,
    card_id: best.card_id,
    kind: best.kind,
    points,
    reported_balance: of('reported_balance')?.reported_balance ?? null,
    occurred_at: best.occurred_at,
    recorded_at: observations.reduce((earliest, { recorded_at }) => recorded_at < earliest ? recorded_at : earliest, best.recorded_at),
    order_id: of('order_id')?.order_id ?? null,
    earning_rule_id: of('earning_rule_id')?.earning_rule_id ?? null,
    event_id: best.event_id
  }
}

// The event's key comes last: observations that are equal in everything else still need a total order.
function compareObservations (a: RecordedObservation, b: RecordedObservation): number {
  return b.source_rank - a.source_rank ||
    compareText(a.occurred_at, b.occurred_at) ||
    compareText(a.fact_digest, b.fact_digest) ||
    compareText(a.event_id, b.event_id) ||
    compareText(a.subject, b.subject)
}

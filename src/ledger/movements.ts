import { SOURCE_RANK, type MovementKind, type MovementObservation } from './facts.ts'
import type { Instant } from './instant.ts'
import { compareText } from './text.ts'

/** An observation of a movement, with the event it comes from. */
export interface RecordedObservation extends Omit<MovementObservation, 'fact' | 'observed_balance'> {
  observed_balance: bigint | null
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
  /** The card's balance after it, as the provider states it. */
  reported_balance: bigint | null
  /** True: the balance is that of a snapshot dated at the movement, which itself states none. */
  observed: boolean
  /** The best time known for it, or where its place among other movements puts it. */
  occurred_at: Instant
  /** The time that its events state, where its place is another one. */
  dated_at: Instant | null
  /** Whether its time is that of the change itself, and not that of a trigger or of a send-out. */
  exact: boolean
  /** When we first stored an observation of it. */
  recorded_at: Instant
  order_id: string | null
  earning_rule_id: string | null
  /** The event of the best observation. */
  event_id: string
}

/** The fields of a movement that are merged, each from the best observation that states it. */
export type MergedField = 'kind' | 'points' | 'reported_balance' | 'observed_balance' | 'occurred_at' | 'order_id' | 'earning_rule_id'

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
  const reported = of('reported_balance')?.reported_balance ?? null
  const observed = of('observed_balance')?.observed_balance ?? null
  return {
    movement_id: best.movement_id,
    card_id: best.card_id,
    kind: best.kind,
    points,
    reported_balance: reported ?? observed,
    observed: reported === null && observed !== null,
    occurred_at: best.occurred_at,
    dated_at: null,
    exact: isExact(best),
    recorded_at: observations.reduce((earliest, { recorded_at }) => recorded_at < earliest ? recorded_at : earliest, best.recorded_at),
    order_id: of('order_id')?.order_id ?? null,
    earning_rule_id: of('earning_rule_id')?.earning_rule_id ?? null,
    event_id: best.event_id
  }
}

/**
 * Rows of the provider's card ledger are dated to the microsecond by the change itself, and so are spends, refunds and
 * openings. An award is dated by what triggered it where it arrives bare, and by its send-out in an envelope.
 */
function isExact ({ source_rank, kind }: RecordedObservation): boolean {
  return source_rank >= SOURCE_RANK.exported || kind === 'opening' ||
    (source_rank >= SOURCE_RANK.bare && (kind === 'redemption' || kind === 'refund'))
}

// The event's key comes last: observations that are equal in everything else still need a total order.
function compareObservations (a: RecordedObservation, b: RecordedObservation): number {
  return b.source_rank - a.source_rank ||
    compareText(a.occurred_at, b.occurred_at) ||
    compareText(a.fact_digest, b.fact_digest) ||
    compareText(a.event_id, b.event_id) ||
    compareText(a.subject, b.subject)
}

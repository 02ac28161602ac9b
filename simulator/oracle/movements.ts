import type { Kind, MovementFact } from '../facts.ts'

/** A movement merged from all observations of it. */
export interface MergedMovement {
  movement_id: string
  kind: Kind
  points: number
  reported_balance: number | null
  /** The balance is that of a snapshot. */
  observed: boolean
  occurred_at: string
  /** The time that its events state, if it was moved to another one. */
  dated_at: string | null
  /** Dated by the change itself: a row, a spend, a refund, an opening. */
  exact: boolean
  order_id: string | null
  earning_rule_id: string | null
  /** The event of the highest rank; undefined if several share it. */
  event_id: string | undefined
  /** The keys of all events that state it, sorted. */
  observed_in: string[]
}

/**
 * Merges all observations of one movement: each field comes from the highest rank that states it.
 * @returns undefined if none of them states the points
 */
export function merged (observations: readonly MovementFact[]): MergedMovement | undefined {
  const ranked = [...observations].sort((a, b) => b.rank - a.rank || compare(a.occurred_at, b.occurred_at))
  const [best] = ranked
  const points = known(ranked.map(observation => observation.points))
  if (best === undefined || points === null) return undefined
  const reported = known(ranked.map(observation => observation.reported_balance))
  const observed = known(ranked.map(({ observed_balance }) => observed_balance ?? null))
  const equals = ranked.filter(({ rank, occurred_at }) => rank === best.rank && occurred_at === best.occurred_at)
  const event_ids = new Set(equals.map(({ observed_in }) => observed_in?.event_id))
  return {
    movement_id: best.movement_id,
    kind: best.kind,
    points,
    reported_balance: reported ?? observed,
    observed: reported === null && observed !== null,
    occurred_at: best.occurred_at,
    dated_at: null,
    exact: best.rank >= 3 || best.kind === 'opening' || (best.rank > 0 && ['redemption', 'refund'].includes(best.kind)),
    order_id: known(ranked.map(observation => observation.order_id)),
    earning_rule_id: known(ranked.map(observation => observation.earning_rule_id)),
    event_id: event_ids.size === 1 ? best.observed_in?.event_id : undefined,
    observed_in: [...new Set(observations.flatMap(({ observed_in }) => observed_in === undefined ? [] : [observed_in.key]))].sort()
  }
}

function known<Value> (values: ReadonlyArray<Value | null>): Value | null {
  return values.find(value => value !== null) ?? null
}

export function compare (a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

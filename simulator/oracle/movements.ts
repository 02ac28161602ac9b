import type { Kind, MovementFact } from '../facts.ts'

/** A movement as all tellings of it together say. */
export interface MergedMovement {
  movement_id: string
  kind: Kind
  points: number
  reported_balance: number | null
  occurred_at: string
  order_id: string | null
  earning_rule_id: string | null
  /** The best-informed event; undefined where several are equally well informed. */
  event_id: string | undefined
  /** Every event that tells it, by the key of its deliveries, in order. */
  observed_in: string[]
}

/**
 * Merges all tellings of one movement: the best-informed one decides, and where it does not know, the next.
 * @returns undefined when none of them knows the points
 */
export function merged (tellings: readonly MovementFact[]): MergedMovement | undefined {
  const ranked = [...tellings].sort((a, b) => b.rank - a.rank || compare(a.occurred_at, b.occurred_at))
  const [best] = ranked
  const points = known(ranked.map(telling => telling.points))
  if (best === undefined || points === null) return undefined
  const equals = ranked.filter(({ rank, occurred_at }) => rank === best.rank && occurred_at === best.occurred_at)
  const event_ids = new Set(equals.map(({ observed_in }) => observed_in?.event_id))
  return {
    movement_id: best.movement_id,
    kind: best.kind,
    points,
    reported_balance: known(ranked.map(telling => telling.reported_balance)),
    occurred_at: best.occurred_at,
    order_id: known(ranked.map(telling => telling.order_id)),
    earning_rule_id: known(ranked.map(telling => telling.earning_rule_id)),
    event_id: event_ids.size === 1 ? best.observed_in?.event_id : undefined,
    observed_in: [...new Set(tellings.flatMap(({ observed_in }) => observed_in === undefined ? [] : [observed_in.key]))].sort()
  }
}

function known<Value> (values: ReadonlyArray<Value | null>): Value | null {
  return values.find(value => value !== null) ?? null
}

export function compare (a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

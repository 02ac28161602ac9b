import { SOURCE_RANK, type MovementObservation } from '../../ledger/facts.ts'
import type { Db } from '../../postgres/database.ts'
import { locateEvents, type EventKey } from '../../log/read.sql.ts'
import { readObservations, type Observation } from '../../projections/cards/sources.sql.ts'

/** A row of an export: the movement it states, and the event that it would be stored as. */
export interface ExportedMovement extends EventKey { movement: MovementObservation }

/** What the ledger knew of a row's movement before the row came. */
export type Known =
  /** Nothing, or not the number of points. */
  | { as: 'unknown' }
  /** The points are known; the row adds something, or has a higher source rank. */
  | { as: 'known' }
  /** Everything in the row, from the provider's own row or another export: storing it would add nothing. */
  | { as: 'same' }
  /** Something else: other points, or another balance after it. */
  | { as: 'contradicted', by: Observation }

/** Looks up which movements of rows are known, in at most two queries. @returns one answer a row, in order */
export async function whatIsKnown (db: Db, rows: readonly ExportedMovement[]): Promise<Known[]> {
  const observations = await readObservations(db, rows.map(({ movement }) => movement))
  const known = rows.map(({ movement }) => compareWithKnown(movement, observations.get(movement.movement_id) ?? []))
  return await exceptStored(db, rows, known)
}

function compareWithKnown (movement: MovementObservation, observed: readonly Observation[]): Known {
  // A price list does not say what happened.
  const witnesses = observed.filter(({ card_id, source_rank }) => card_id === movement.card_id && source_rank !== SOURCE_RANK.priced)
  if (witnesses.some(observation => observation.source_rank >= SOURCE_RANK.exported && saysAll(observation, movement))) return { as: 'same' }
  const by = witnesses.find(observation => differ(observation.points, movement.points) || differ(observation.reported_balance, movement.reported_balance))
  if (by !== undefined) return { as: 'contradicted', by }
  return { as: witnesses.some(({ points }) => points !== null) ? 'known' : 'unknown' }
}

/** A row that is stored already contradicts nothing, whatever other events state: the append finds it a duplicate. */
async function exceptStored (db: Db, rows: readonly ExportedMovement[], known: readonly Known[]): Promise<Known[]> {
  const accused = rows.filter((_, index) => known[index]?.as === 'contradicted')
  if (accused.length === 0) return [...known]
  const located = await locateEvents(db, accused)
  const stored = new Set(accused.filter((_, index) => located[index] !== undefined))
  return known.map((answer, index) => stored.has(rows[index] as ExportedMovement) ? { as: 'known' } : answer)
}

function saysAll (observation: Observation, movement: MovementObservation): boolean {
  return observation.points === movement.points && observation.kind === movement.kind &&
    covers(observation.reported_balance, movement.reported_balance) &&
    covers(observation.order_id, movement.order_id) &&
    covers(observation.earning_rule_id, movement.earning_rule_id)
}

function covers<T> (known: T | null, observed: T | null): boolean {
  return observed === null || observed === known
}

function differ (a: bigint | null, b: bigint | null): boolean {
  return a !== null && b !== null && a !== b
}

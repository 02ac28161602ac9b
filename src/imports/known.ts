import { INFORMED, type MovementSighting } from '../ledger/facts.ts'
import type { Db } from '../store/database.ts'
import { readTellings, type Telling } from '../store/sightings.ts'

/** What the ledger knew of a row's movement before the row came. */
export type Known =
  /** Nothing, or not how many points. */
  | { as: 'unknown' }
  /** The same, by a source that knows less than the row: the row is one more telling of it. */
  | { as: 'told' }
  /** The same, by the provider's own row: there is nothing to add. */
  | { as: 'same' }
  /** Something else: other points, or another balance after it. */
  | { as: 'contradicted', by: Telling }

/** Looks up what is told of movements already, in one query. @returns one answer a movement, in order */
export async function whatIsKnown (db: Db, movements: readonly MovementSighting[]): Promise<Known[]> {
  const told = await readTellings(db, movements)
  return movements.map(movement => compare(movement, told.get(movement.movement_id) ?? []))
}

function compare (movement: MovementSighting, told: readonly Telling[]): Known {
  // A price list is no witness.
  const witnesses = told.filter(({ card_id, informed }) => card_id === movement.card_id && informed !== INFORMED.priced)
  const by = witnesses.find(telling => differ(telling.points, movement.points) || differ(telling.reported_balance, movement.reported_balance))
  if (by !== undefined) return { as: 'contradicted', by }
  const same = witnesses.some(({ informed, points, reported_balance }) =>
    informed >= INFORMED.exported && points === movement.points && (reported_balance === movement.reported_balance || movement.reported_balance === null))
  if (same) return { as: 'same' }
  return { as: witnesses.some(({ points }) => points !== null) ? 'told' : 'unknown' }
}

function differ (a: bigint | null, b: bigint | null): boolean {
  return a !== null && b !== null && a !== b
}

import { groupBy } from '../../ledger/group-by.ts'
import { Fenced } from '../checkpoints.sql.ts'
import type { Trx } from '../../postgres/database.ts'
import { failureOf } from '../../postgres/errors.ts'
import { withSavepoint } from '../../postgres/savepoint.ts'
import type { Projection } from '../projection.ts'
import type { Placed } from '../decode.ts'
import { addWaiting, park, parkingOf } from './parked.sql.ts'
import { parkingKeyOf } from './parking-keys.ts'

/**
 * If more keys than these fail in one step, the events are not at fault, and nothing must be parked. One customer has
 * far fewer cards or orders in a step.
 */
export const MAX_POISONED = 200

/** So many keys failed that single events cannot be at fault: an operator has to act. */
export class TooMuchFailed extends Error {
  override name = 'TooMuchFailed'
  readonly code = 'too_much_failed'
}

/**
 * True if an event may be at fault for a failure. False if the database is away or a lock was taken, which passes, and
 * if a table, a column or a privilege is missing, which affects every event.
 */
export function isPoison (error: unknown): boolean {
  if (error instanceof Fenced || error instanceof TooMuchFailed) return false
  const failure = failureOf(error)
  return failure === 'input' || failure === 'taken' || (failure === 'defect' && !isSystemic(error))
}

/** True for SQLSTATEs of errors in the statement, the schema or the server, never in a value. */
function isSystemic (error: unknown): boolean {
  const { code } = error as { code?: unknown }
  return typeof code === 'string' && (code === 'log_gap' || (/^[0-9A-Z]{5}$/.test(code) && !/^(22|23|54|P0)/.test(code)))
}

/**
 * Folds the facts of a step that can be folded. The card or order of a fact that cannot be folded is parked: the fact
 * and all later ones about the same card or order wait.
 * @throws TooMuchFailed, or an error that is no fault of an event
 */
export async function foldOrPark (trx: Trx, projection: Projection, shard: number, facts: readonly Placed[]): Promise<void> {
  for (const { facts: left, error } of await foldCarefully(trx, projection, facts)) {
    const { observed: { event_id, subject }, position } = left[0]
    const key = parkingKeyOf(left[0])
    await park(trx, [parkingOf(projection.name, key, shard, { event_id, subject, position }, 'fold_failed', error)])
    await addWaiting(trx, left.map(({ position }) => ({ projection: projection.name, key, shard, position })))
  }
}

/** A key of which not all facts can be folded. */
interface Poisoned {
  /** The first fact that could not be folded, and all later ones. */
  facts: [Placed, ...Placed[]]
  error: unknown
}

/**
 * Folds facts of which some cannot be folded: halves them by key until each failing key is alone, and folds the events
 * of that key one by one up to the first that fails. The transaction continues with everything that could be folded.
 * @returns what could not be folded
 * @throws TooMuchFailed, or an error that is no fault of an event
 */
async function foldCarefully (trx: Trx, projection: Projection, facts: readonly Placed[]): Promise<Poisoned[]> {
  const poisoned: Poisoned[] = []

  async function halve (groups: Placed[][]): Promise<void> {
    const error = await attempt(trx, projection, groups.flat())
    if (error === undefined) return
    const [only] = groups
    if (groups.length > 1) {
      const middle = groups.length >> 1
      await halve(groups.slice(0, middle))
      await halve(groups.slice(middle))
    } else if (only !== undefined) {
      const first = await firstFailing(trx, projection, only)
      if (first !== undefined) poisoned.push(first)
      if (poisoned.length > MAX_POISONED) {
        throw new TooMuchFailed(`${projection.name}: more than ${MAX_POISONED} keys of one step cannot be folded, the first because: ${(error as Error).message}`, { cause: error })
      }
    }
  }

  await halve([...groupBy(facts, parkingKeyOf).values()])
  return poisoned
}

async function firstFailing (trx: Trx, projection: Projection, facts: readonly Placed[]): Promise<Poisoned | undefined> {
  const events = [...groupBy(facts, ({ position }) => String(position)).values()]
  for (const [index, ofEvent] of events.entries()) {
    const error = await attempt(trx, projection, ofEvent)
    if (error !== undefined) return { facts: events.slice(index).flat() as [Placed, ...Placed[]], error }
  }
  // Each event succeeded alone; together they exceeded some limit.
  return undefined
}

/** Folds all of some facts, or none of them. @returns why they could not be folded */
async function attempt (trx: Trx, projection: Projection, facts: readonly Placed[]): Promise<unknown> {
  try {
    await withSavepoint(trx, async () => { await projection.apply(trx, facts.map(({ observed }) => observed)) })
    return undefined
  } catch (error) {
    if (!isPoison(error)) throw error
    return error
  }
}

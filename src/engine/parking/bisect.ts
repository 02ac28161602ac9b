import { groupBy } from '../../ledger/group.ts'
import { Fenced } from '../checkpoints.sql.ts'
import type { Trx } from '../../postgres/database.ts'
import { failureOf } from '../../postgres/errors.ts'
import { withSavepoint } from '../../postgres/savepoint.ts'
import type { Projection } from '../projection.ts'
import { keyOfPlaced, type Placed } from './hold-back.ts'

/** A key whose facts cannot all be folded. */
export interface Poisoned {
  /** From the first on that could not be folded. */
  facts: [Placed, ...Placed[]]
  error: unknown
}

/**
 * More keys than these in one step: then it is not the events that are wrong, and nothing must be parked for it. Far more than
 * one customer has of cards or orders in a step.
 */
export const MAX_POISONED = 200

/** So much failed that it cannot be the fault of single events: a person has to look. */
export class TooMuchFailed extends Error {
  override name = 'TooMuchFailed'
  readonly code = 'too_much_failed'
}

/**
 * Could the failure be the fault of an event? Not where the database is away or a lock was not to be had, which passes, and not
 * where a table, a column or a right is missing, which every event would run into.
 */
export function isPoison (error: unknown): boolean {
  if (error instanceof Fenced || error instanceof TooMuchFailed) return false
  const failure = failureOf(error)
  return failure === 'input' || failure === 'taken' || (failure === 'defect' && !isSystemic(error))
}

/** SQLSTATEs of what is wrong with the statement, the schema or the server: never with a value. */
function isSystemic (error: unknown): boolean {
  const { code } = error as { code?: unknown }
  return typeof code === 'string' && (code === 'log_gap' || (/^[0-9A-Z]{5}$/.test(code) && !/^(22|23|54|P0)/.test(code)))
}

/**
 * Folds facts that cannot all be folded: halves them by key until those that cannot stand alone; of such a key, event by event,
 * all before the first one that fails. The transaction goes on with what could be folded.
 * @returns what could not
 * @throws TooMuchFailed, or what is no fault of an event
 */
export async function foldCarefully (trx: Trx, projection: Projection, facts: readonly Placed[]): Promise<Poisoned[]> {
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

  await halve([...groupBy(facts, keyOfPlaced).values()])
  return poisoned
}

async function firstFailing (trx: Trx, projection: Projection, facts: readonly Placed[]): Promise<Poisoned | undefined> {
  const events = [...groupBy(facts, ({ position }) => String(position)).values()]
  for (const [index, ofEvent] of events.entries()) {
    const error = await attempt(trx, projection, ofEvent)
    if (error !== undefined) return { facts: events.slice(index).flat() as [Placed, ...Placed[]], error }
  }
  // One by one they went: together they were too much for something.
  return undefined
}

/** Folds facts, or leaves nothing of them behind. @returns why they could not be folded */
async function attempt (trx: Trx, projection: Projection, facts: readonly Placed[]): Promise<unknown> {
  try {
    await withSavepoint(trx, async () => { await projection.apply(trx, facts.map(({ observed }) => observed)) })
    return undefined
  } catch (error) {
    if (!isPoison(error)) throw error
    return error
  }
}

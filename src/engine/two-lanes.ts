/** One of the two that do the same work. */
export interface Lane {
  /** Is it the one that goes on where there is only room for one? */
  first: boolean
  /** Has the other one failed? Then this one is to end after what it is doing. */
  ended: () => boolean
}

/**
 * Does the same twice at once: while PostgreSQL works for one, the other reads and folds. Where one fails, the other ends, too.
 * Each needs a connection of its own.
 * @throws what the first one that failed threw, when both have ended
 */
export async function inTwoLanes (work: (lane: Lane) => Promise<void>): Promise<void> {
  const failures: unknown[] = []
  const lane = async (first: boolean): Promise<void> => {
    await work({ first, ended: () => failures.length > 0 }).catch((error: unknown) => { failures.push(error) })
  }
  await Promise.all([lane(true), lane(false)])
  if (failures.length > 0) throw failures[0]
}

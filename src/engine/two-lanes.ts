/** One of two lanes that do the same work. */
export interface Lane {
  /** True for the lane that goes on if there is room for one only. */
  first: boolean
  /** True once the other lane has failed: this one must end after its current step. */
  ended: () => boolean
}

/**
 * Does the same work in two lanes at once: one reads and folds while PostgreSQL works for the other. If one fails, the
 * other ends, too. Each needs a connection of its own.
 * @throws the error of the lane that failed first, when both have ended
 */
export async function inTwoLanes (work: (lane: Lane) => Promise<void>): Promise<void> {
  const failures: unknown[] = []
  const lane = async (first: boolean): Promise<void> => {
    await work({ first, ended: () => failures.length > 0 }).catch((error: unknown) => { failures.push(error) })
  }
  await Promise.all([lane(true), lane(false)])
  if (failures.length > 0) throw failures[0]
}

import type { Db } from '../store/database.ts'
import { createCheckpoints, readCheckpoint } from '../store/checkpoints.ts'
import { readHeads } from '../store/shards.ts'
import type { Projection } from './projection.ts'
import { step } from './step.ts'
import { createFreshness } from './wait.ts'

/**
 * Brings the projections up to what is stored now, beside whatever workers run: what they hold is waited for.
 * @param wait_ms how long to wait for a shard that another worker holds
 * @returns false when a shard did not get there in time
 */
export async function catchUp (db: Db, projections: readonly Projection[], options: { batch: number, wait_ms: number }): Promise<boolean> {
  await createCheckpoints(db, projections)
  const heads = await readHeads(db)
  while (await step(db, projections, options) !== undefined) { /* until nothing lags that nobody holds */ }
  const freshness = createFreshness(db, projections)
  try {
    for (const { shard, head } of heads) {
      const reached = await readCheckpoint(db, projections, shard) ?? 0n
      if (reached < head && (await freshness.reach({ shard, position: head }, options.wait_ms) ?? 0n) < head) return false
    }
    return true
  } finally {
    freshness.close()
  }
}

import { readCheckpoint } from '../store/checkpoints.ts'
import type { Db } from '../store/database.ts'
import { createNudge, type Nudge } from './nudge.ts'
import type { Projection } from './projection.ts'

const POLL_MIN_MS = 5
const POLL_MAX_MS = 100

/** Lets reads wait for their own writes. */
export interface Freshness {
  /** A worker in this process moved a checkpoint: look again now. */
  moved: () => void
  /**
   * Waits until every projection has folded a shard up to a position.
   * @returns how far the shard came: less than `position` after `wait_ms`; undefined when there is no such shard
   */
  reach: (awaited: { shard: number, position: bigint }, wait_ms: number) => Promise<bigint | undefined>
  /** Ends every wait: a read that waits must not hold up an orderly stop. */
  close: () => void
}

export function createFreshness (db: Db, projections: readonly Projection[]): Freshness {
  const waiting = new Set<Nudge>()
  let closed = false
  function ringAll (): void {
    for (const nudge of waiting) nudge.ring()
  }

  return {
    moved: ringAll,
    close () {
      closed = true
      ringAll()
    },
    async reach ({ shard, position }, wait_ms) {
      const deadline = performance.now() + wait_ms
      const nudge = createNudge()
      waiting.add(nudge)
      try {
        for (let pause_ms = POLL_MIN_MS; ; pause_ms = Math.min(pause_ms * 2, POLL_MAX_MS)) {
          const reached = await readCheckpoint(db, projections, shard)
          const left_ms = deadline - performance.now()
          if (reached === undefined || reached >= position || left_ms <= 0 || closed) return reached
          await nudge.wait(Math.min(pause_ms, left_ms))
        }
      } finally {
        waiting.delete(nudge)
      }
    }
  }
}

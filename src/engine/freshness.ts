import { readCheckpoints } from './checkpoints.sql.ts'
import type { Db } from '../postgres/database.ts'
import { createNudge } from './nudge.ts'
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

interface Waiting {
  shard: number
  position: bigint
  since: number
  deadline: number
  resolve: (reached: bigint | undefined) => void
  reject: (error: unknown) => void
}

/** However many wait, one query looks for all of them: under load there are hundreds, and each would ask at every step. */
export function createFreshness (db: Db, projections: readonly Projection[]): Freshness {
  const waiting = new Set<Waiting>()
  const nudge = createNudge()
  let looking = false
  let closed = false

  async function look (): Promise<void> {
    looking = true
    while (waiting.size > 0) {
      // Who comes while we look is told at the next look: what this one found may be older than the question.
      const asking = [...waiting]
      await readCheckpoints(db, projections).then(
        reached => { for (const one of asking) settle(one, reached.get(one.shard)) },
        (error: unknown) => { for (const one of asking) end(one, () => { one.reject(error) }) }
      )
      const left = asking.filter(one => waiting.has(one))
      if (left.length > 0 && left.length === waiting.size) await nudge.wait(restOf(left))
    }
    // At once, not when the promise has settled: who was answered a moment ago may ask the next thing before that.
    looking = false
  }

  function settle (one: Waiting, reached: bigint | undefined): void {
    if (reached === undefined || reached >= one.position || performance.now() >= one.deadline || closed) end(one, () => { one.resolve(reached) })
  }

  function end (one: Waiting, answer: () => void): void {
    waiting.delete(one)
    answer()
  }

  // The longer somebody waits already, the longer until the next look: so the rests double.
  function restOf (left: readonly Waiting[]): number {
    const now = performance.now()
    return Math.min(...left.map(({ since, deadline }) => Math.min(Math.max(now - since, POLL_MIN_MS), POLL_MAX_MS, deadline - now)))
  }

  return {
    moved: nudge.ring,
    close () {
      closed = true
      nudge.ring()
    },
    async reach ({ shard, position }, wait_ms) {
      return await new Promise((resolve, reject) => {
        const since = performance.now()
        waiting.add({ shard, position, since, deadline: since + wait_ms, resolve, reject })
        if (looking) nudge.ring()
        else void look()
      })
    }
  }
}

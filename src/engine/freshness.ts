import { readCheckpoints } from './checkpoints.sql.ts'
import type { Db } from '../postgres/database.ts'
import { createNudge } from './nudge.ts'
import type { Projection } from './projection.ts'

const POLL_MIN_MS = 5
const POLL_MAX_MS = 100

/** Lets a read wait until the projections contain an earlier write. */
export interface Freshness {
  /** A worker in this process moved a checkpoint: read the checkpoints again now. */
  moved: () => void
  /**
   * Waits until every projection has folded a shard up to a position.
   * @returns the position that the shard reached: less than `position` if `wait_ms` ran out; undefined if there is no
   * such shard
   */
  reach: (awaited: { shard: number, position: bigint }, wait_ms: number) => Promise<bigint | undefined>
  /** Ends every wait, so that a waiting read does not delay a shutdown. */
  close: () => void
}

interface WaitingRead {
  shard: number
  position: bigint
  since: number
  deadline: number
  resolve: (reached: bigint | undefined) => void
  reject: (error: unknown) => void
}

/** One query serves all waiting reads: under load there are hundreds, and each would ask at every step. */
export function createFreshness (db: Db, projections: readonly Projection[]): Freshness {
  const waiting = new Set<WaitingRead>()
  const nudge = createNudge()
  let polling = false
  let closed = false

  async function poll (): Promise<void> {
    polling = true
    while (waiting.size > 0) {
      // A read that arrives during the query is answered by the next one: this result may be older than its question.
      const asking = [...waiting]
      await readCheckpoints(db, projections).then(
        reached => { for (const one of asking) answer(one, reached.get(one.shard)) },
        (error: unknown) => { for (const one of asking) end(one, () => { one.reject(error) }) }
      )
      const left = asking.filter(one => waiting.has(one))
      if (left.length > 0 && left.length === waiting.size) await nudge.wait(pauseFor_ms(left))
    }
    // Synchronously: a read that was just answered may ask again before this promise resolves.
    polling = false
  }

  function answer (one: WaitingRead, reached: bigint | undefined): void {
    if (reached === undefined || reached >= one.position || performance.now() >= one.deadline || closed) end(one, () => { one.resolve(reached) })
  }

  function end (one: WaitingRead, callback: () => void): void {
    waiting.delete(one)
    callback()
  }

  // As long as the most recent read has waited already, so the pauses double.
  function pauseFor_ms (left: readonly WaitingRead[]): number {
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
        if (polling) nudge.ring()
        else void poll()
      })
    }
  }
}

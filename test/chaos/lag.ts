import type pg from 'pg'
import { setTimeout as pause } from 'node:timers/promises'
import type { Test } from 'tap'

export interface Lag { events: number, seconds: number }

const EVERY_MS = 250

/**
 * Watches how far projections are behind, until the test ends at the latest.
 * @returns how to stop, and the greatest lag there was
 */
export function watchLag (t: Test, pool: pg.Pool): () => Promise<Lag> {
  const greatest: Lag = { events: 0, seconds: 0 }
  const stopping = new AbortController()
  async function watch (): Promise<void> {
    while (!stopping.signal.aborted) {
      // PostgreSQL may be away.
      const { rows } = await pool.query<Lag>(`
        select coalesce(sum(s.head - c.position), 0)::int as events,
               coalesce(max(extract(epoch from clock_timestamp() - e.recorded_at)), 0)::float8 as seconds
        from ledger.shards s
        join (select shard, min(position) as position from projection.checkpoints group by shard) c on c.shard = s.shard
        join ledger.events e on e.shard = s.shard and e.position = c.position + 1`).catch(() => ({ rows: [] }))
      greatest.events = Math.max(greatest.events, rows[0]?.events ?? 0)
      greatest.seconds = Math.max(greatest.seconds, rows[0]?.seconds ?? 0)
      await pause(EVERY_MS, undefined, { signal: stopping.signal }).catch(() => {})
    }
  }
  const watching = watch()
  async function stop (): Promise<Lag> {
    stopping.abort()
    await watching
    return greatest
  }
  t.teardown(stop)
  return stop
}

// Whether the fence around steps holds, seen from outside: no checkpoint ever goes back, none passes its head.
import { setTimeout as pause } from 'node:timers/promises'
import type pg from 'pg'
import type { Test } from 'tap'

/** A checkpoint where it may not be. `head` is missing where it went back. */
export interface Strayed { projection: string, shard: number, before: string, position: string, head?: string }

interface Standing { projection: string, shard: number, position: string, head: string }

const EVERY_MS = 100

/**
 * Watches all checkpoints, until the test ends at the latest: as readers see them, many times a second, and each single
 * move. A move to where the checkpoint stood already is a step that was taken twice.
 * @returns how to stop, and every checkpoint that strayed
 */
export async function watchCheckpoints (t: Test, pool: pg.Pool): Promise<() => Promise<Strayed[]>> {
  await pool.query(`
    create schema fence;
    create table fence.strayed (projection text, shard int, before bigint, position bigint);
    create function fence.note () returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
      begin
        insert into fence.strayed values (new.projection, new.shard, old.position, new.position);
        return null;
      end $$;
    create trigger note after update on projection.checkpoints
      for each row when (new.position <= old.position) execute function fence.note()`)

  const highest = new Map<string, string>()
  const strayed: Strayed[] = []
  function look ({ projection, shard, position, head }: Standing): void {
    const key = `${projection}/${shard}`
    const before = highest.get(key) ?? '0'
    if (BigInt(position) < BigInt(before)) strayed.push({ projection, shard, before, position })
    if (BigInt(position) > BigInt(head)) strayed.push({ projection, shard, before, position, head })
    highest.set(key, position)
  }
  const stopping = new AbortController()
  async function watch (): Promise<void> {
    while (!stopping.signal.aborted) {
      // PostgreSQL may be away.
      const { rows } = await pool.query<Standing>(`
        select c.projection, c.shard, c.position, s.head
        from projection.checkpoints c join ledger.shards s using (shard)`).catch(() => ({ rows: [] }))
      for (const standing of rows) look(standing)
      await pause(EVERY_MS, undefined, { signal: stopping.signal }).catch(() => {})
    }
  }
  const watching = watch()
  async function stop (): Promise<Strayed[]> {
    stopping.abort()
    await watching
    return strayed
  }
  t.teardown(stop)
  return async () => [...await stop(), ...(await pool.query<Strayed>('select * from fence.strayed')).rows]
}

import type { Projection } from '../engine/projection.ts'
import type { Freshness } from '../engine/freshness.ts'
import type { Db } from '../postgres/database.ts'
import { notFound, Problem } from './problem.ts'

/** What every read route is given. */
export interface ReadOptions {
  db: Db
  projections: readonly Projection[]
  freshness: Freshness
  shards: number
}

/**
 * Waits for `min_position` where a read asks for it.
 * @throws Problem 400 position_invalid, 504 projection_behind
 */
export async function awaitPosition (options: ReadOptions, query: { min_position?: string, wait_ms: number }): Promise<void> {
  if (query.min_position === undefined) return
  const [shard = '', position = ''] = query.min_position.split(':')
  if (Number(shard) >= options.shards) {
    throw new Problem(400, 'position_invalid', `Shard ${shard} does not exist: this ledger has ${options.shards} shards. Send the position exactly as the answer to a webhook gave it.`)
  }
  const awaited = { shard: Number(shard), position: BigInt(position) }
  const reached = await options.freshness.reach(awaited, query.wait_ms) ?? 0n
  if (reached < awaited.position) {
    throw new Problem(504, 'projection_behind', `The projections have reached position ${reached} of shard ${shard}, not yet ${position}. Retry, or raise wait_ms.`, { headers: { 'retry-after': '1' } })
  }
}

/** A key from a URL as the database can be asked for it: text columns cannot hold U+0000, so nothing is known under it. */
export function askable (kind: string, key: string): string {
  if (key.includes('\u0000')) throw notFound(kind, key)
  return key
}

/** JSON columns are read as text; answers carry them as JSON. */
export function parseJson (text: string | null): unknown {
  return text === null ? null : JSON.parse(text)
}

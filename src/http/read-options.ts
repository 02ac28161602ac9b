import type { Projection } from '../engine/projection.ts'
import type { Freshness } from '../engine/freshness.ts'
import type { Db } from '../postgres/database.ts'
import type { Providers } from '../providers/index.ts'
import { notFound, Problem } from './problem.ts'

/** The options of every read route. */
export interface ReadOptions {
  db: Db
  projections: readonly Projection[]
  freshness: Freshness
  shards: number
  /** Whose events can be read; absent: those of all providers that there are. */
  providers?: Providers
}

/**
 * Waits until `min_position` is projected, if the query names one.
 * @throws Problem 400 position_invalid, 504 projection_behind
 */
export async function awaitPosition (options: ReadOptions, query: { min_position?: string, wait_ms: number }): Promise<void> {
  if (query.min_position === undefined) return
  const [shard = '', position = ''] = query.min_position.split(':')
  if (Number(shard) >= options.shards) {
    throw new Problem(400, 'position_invalid', `There is no shard ${shard}: this ledger has ${options.shards}. Send the position exactly as the webhook's answer states it.`)
  }
  const awaited = { shard: Number(shard), position: BigInt(position) }
  const reached = await options.freshness.reach(awaited, query.wait_ms) ?? 0n
  if (reached < awaited.position) {
    throw new Problem(504, 'projection_behind', `Shard ${shard} is projected up to ${reached}, not yet up to ${position}. Retry, or raise wait_ms.`, { headers: { 'retry-after': '1' } })
  }
}

/**
 * Checks that a key from a URL can be looked up. PostgreSQL's text cannot hold U+0000, so nothing can have such a key.
 * @throws Problem 404
 */
export function askable (kind: string, key: string): string {
  if (key.includes('\u0000')) throw notFound(kind, key)
  return key
}

/** Parses a JSON column, which is read as text, for an answer. */
export function parseJson (text: string | null): unknown {
  return text === null ? null : JSON.parse(text)
}

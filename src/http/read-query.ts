import type { Projection } from '../engine/projection.ts'
import type { Freshness } from '../engine/freshness.ts'
import type { AsOf } from '../ledger/as-of.ts'
import { parseInstant, type Instant } from '../ledger/instant.ts'
import type { Db } from '../postgres/database.ts'
import type { Providers } from '../providers/index.ts'
import { notFound, Problem } from './problem.ts'

/** The options of every read route. */
export interface ReadOptions {
  db: Db
  projections: readonly Projection[]
  freshness: Freshness
  shards: number
  /** Whose events can be read; absent: those of all known providers. */
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
 * Reads `at` and `known_at` from a query.
 * @throws Problem 400 time_invalid
 */
export function readAsOf ({ at, known_at }: { at?: string, known_at?: string }): AsOf {
  return { at: readMoment('at', at), known_at: readMoment('known_at', known_at) }
}

/** True if a read asks about the past. Otherwise the live rows answer it, at no extra cost. */
export function looksBack ({ at, known_at }: AsOf): boolean {
  return at !== null || known_at !== null
}

function readMoment (name: string, text: string | undefined): Instant | null {
  if (text === undefined) return null
  const instant = parseInstant(text)
  if (instant !== undefined) return instant
  throw new Problem(400, 'time_invalid', `${name}: ${JSON.stringify(text)} ${whatIsWrong(text)} Send a moment with its time zone, for example ${name}=2026-01-31T23:59:59.999999Z or ${name}=2026-02-01T00:59:59%2B01:00.`)
}

function whatIsWrong (text: string): string {
  if (/^\d{4}-\d{2}-\d{2}$/.test(text)) return 'is a day, and a day begins and ends at another moment in each time zone.'
  // A plus sign in a query string means a space.
  if (/\d{2}:\d{2}(:[\d.]+)? \d{2}:?\d{2}$/.test(text)) return 'has a space where its time zone should be: in a URL the sign + is written %2B.'
  if (/^\d{4}-\d{2}-\d{2}[Tt ][\d:.,]+$/.test(text)) return 'has no time zone.'
  return 'is not an RFC 3339 timestamp.'
}

/**
 * Checks that a key from a URL can be looked up. PostgreSQL's text cannot hold U+0000, so nothing can have such a key.
 * @throws Problem 404
 */
export function askable (kind: string, key: string): string {
  if (key.includes('\u0000')) throw notFound(kind, key)
  return key
}

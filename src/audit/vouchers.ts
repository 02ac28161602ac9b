import { findBodiesOfType, type AuditedEvent } from './log.sql.ts'
import type { Db } from '../postgres/database.ts'
import { ERASED_TYPE } from '../erasure/erasure.sql.ts'

/** Limit on the entries of all cached lists together: some 30 MB. A single list is cached whatever its size. */
const HELD_ENTRIES = 100_000

/** True if an erasure event lists the present body of an erased row. */
export type Vouching = (row: Pick<AuditedEvent, 'event_id' | 'subject' | 'erased_by'>, digest: Buffer) => Promise<boolean>

/**
 * Reads erasure events as they are needed and caches the most recently used lists: rows of one customer lie near each
 * other.
 */
export function createVouching (db: Db): Vouching {
  const held = new Map<string, ReadonlyMap<string, string>>()

  async function listOf (erased_by: string): Promise<ReadonlyMap<string, string>> {
    const list = held.get(erased_by) ?? new Map((await findBodiesOfType(db, erased_by, ERASED_TYPE)).flatMap(entriesOf))
    // Re-inserting moves it to the end; the first entry of the Map is then the least recently used one.
    held.delete(erased_by)
    held.set(erased_by, list)
    let entries = [...held.values()].reduce((sum, { size }) => sum + size + 1, 0)
    for (const [oldest, { size }] of held) {
      if (entries <= HELD_ENTRIES || oldest === erased_by) break
      held.delete(oldest)
      entries -= size + 1
    }
    return list
  }

  return async ({ event_id, subject, erased_by }, digest) =>
    erased_by !== null && (await listOf(erased_by)).get(keyOf(event_id, subject)) === digest.toString('hex')
}

function keyOf (event_id: string, subject: string): string {
  return JSON.stringify([event_id, subject])
}

/** The entries that the body of an erasure event lists; none if it is not such a body. */
function entriesOf (body: string): Array<[key: string, body_digest: string]> {
  const { data } = (JSON.parse(body) ?? {}) as { data?: { erased?: unknown } | null }
  const erased = Array.isArray(data?.erased) ? data.erased as unknown[] : []
  return erased.flatMap(entry => {
    const { event_id, subject, body_digest } = (entry ?? {}) as Record<string, unknown>
    return typeof event_id === 'string' && typeof subject === 'string' && typeof body_digest === 'string' ? [[keyOf(event_id, subject), body_digest]] : []
  })
}

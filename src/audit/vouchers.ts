import { findBodiesOfType, type AuditedEvent } from './log.sql.ts'
import type { Db } from '../postgres/database.ts'
import { ERASED_TYPE } from '../erasure/erasure.sql.ts'

/** Events that the lists held at a time may name: some 30 MB. A single list is held whatever its size. */
const HELD_ENTRIES = 100_000

/** Says whether an erasure event vouches for the body of an erased row. */
export type Vouching = (row: Pick<AuditedEvent, 'event_id' | 'subject' | 'erased_by'>, digest: Buffer) => Promise<boolean>

/** Looks erasure events up as they are needed, and holds the lists last used: rows of one customer lie near each other. */
export function createVouching (db: Db): Vouching {
  const held = new Map<string, ReadonlyMap<string, string>>()

  async function listOf (erased_by: string): Promise<ReadonlyMap<string, string>> {
    const list = held.get(erased_by) ?? new Map((await findBodiesOfType(db, erased_by, ERASED_TYPE)).flatMap(entriesOf))
    // To the end of the line: what comes first in a Map was used longest ago.
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

/** What the body lists; nothing where it is not the body of an erasure. */
function entriesOf (body: string): Array<[key: string, body_digest: string]> {
  const { data } = (JSON.parse(body) ?? {}) as { data?: { erased?: unknown } | null }
  const erased = Array.isArray(data?.erased) ? data.erased as unknown[] : []
  return erased.flatMap(entry => {
    const { event_id, subject, body_digest } = (entry ?? {}) as Record<string, unknown>
    return typeof event_id === 'string' && typeof subject === 'string' && typeof body_digest === 'string' ? [[keyOf(event_id, subject), body_digest]] : []
  })
}

import type { Db } from '../store/database.ts'
import { locateEvent } from '../store/events.ts'
import { conflictWith, identifySafely, stillAgrees, type Refusal } from './settle.ts'

/** The key of the event; its position where it is stored already. */
export interface Foreseen { event_id: string, subject: string, position: string | null }

/** What would become of a delivery. `accepted`: it is new. */
export type Rehearsed =
  | { status: 'accepted' | 'duplicate' } & Foreseen
  | { status: 'conflict' } & Foreseen & Refusal
  | { status: 'unusable' } & Refusal

export interface Rehearsal {
  /** Says what would become of a delivery, after all those that this rehearsal was told of before. Many may be under way at once. */
  deliver: (body: Buffer) => Promise<Rehearsed>
}

/**
 * A dry run: reads, and writes nothing. It remembers the keys it was told of (some 250 bytes each), so that what repeats
 * or contradicts itself inside one file shows as it would when the file is taken in, in the order of the calls.
 * Not foreseen: `unstorable`, which only PostgreSQL can tell, and what others store meanwhile.
 */
export function createRehearsal (db: Db): Rehearsal {
  const told = new Map<string, string>()
  return {
    async deliver (body) {
      const identified = identifySafely(body)
      if ('reason' in identified) return { status: 'unusable', ...identified }
      const { event_id, subject, fact_digest } = identified
      // Before the first await: the order of the calls decides, not that of the answers.
      const key = `${event_id}\u001f${subject}`
      const before = told.get(key)
      if (before === undefined) told.set(key, fact_digest)

      const stored = await locateEvent(db, event_id, subject)
      const position = stored === undefined ? null : `${stored.shard}:${stored.position}`
      const foreseen = { event_id, subject, position }
      if (stored === undefined && before === undefined) return { status: 'accepted', ...foreseen }
      const agrees = stored === undefined
        ? before === fact_digest
        : stored.fact_digest.toString('hex') === fact_digest || await stillAgrees(identified, db)
      return agrees ? { status: 'duplicate', ...foreseen } : { status: 'conflict', ...foreseen, ...conflictWith(foreseen) }
    }
  }
}

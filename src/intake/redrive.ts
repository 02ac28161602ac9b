import type { Db } from '../store/database.ts'
import { markRedriven, markStillUnusable, newestQuarantineId, openIds, readQuarantined, type QuarantineState } from '../store/quarantine.ts'
import { settleDelivery, type Intake, type Refusal, type Stored } from './settle.ts'

/** What became of a redrive. `event`: stored by it, or stored before. */
export type Redriven =
  | { status: 'redriven', event: 'accepted' | 'duplicate' } & Stored
  | { status: 'still_unusable' } & Refusal
  | { status: 'still_conflicting' } & Refusal & Stored
  | { status: 'not_open', state: QuarantineState }
  | { status: 'not_found' }

/**
 * Reads the bytes of an open quarantine row again, with the code of today, as if they came in now. One that still cannot be
 * used stays open and tells why as of now. Two redrives of one row at once do no harm: the append stores the event once.
 * @param by who asks for it
 * @throws AppendRefused when nothing was committed as far as we know; the row stays open, try again
 */
export async function redrive (quarantine_id: bigint, by: string, intake: Intake): Promise<Redriven> {
  const kept = await readQuarantined(intake.db, quarantine_id)
  if (kept === undefined) return { status: 'not_found' }
  if (kept.state !== 'open') return { status: 'not_open', state: kept.state }
  const settled = await settleDelivery(kept.body, intake)
  switch (settled.status) {
    case 'accepted': case 'duplicate': {
      const { status: event, ...stored } = settled
      // Not in one transaction with the append: if we die in between, the row is open, and its next redrive a duplicate.
      await markRedriven(intake.db, quarantine_id, stored, by)
      return { status: 'redriven', event, ...stored }
    }
    case 'unusable': {
      const { status: _, ...why } = settled
      await markStillUnusable(intake.db, quarantine_id, { ...why, event_id: null, subject: null })
      return { status: 'still_unusable', ...why }
    }
    case 'conflict': {
      const { status: _, ...why } = settled
      const { reason, detail, event_id, subject } = why
      await markStillUnusable(intake.db, quarantine_id, { reason, detail, event_id, subject })
      return { status: 'still_conflicting', ...why }
    }
  }
}

/** Rows read again at once: enough for the appender to batch, few enough bodies in memory. */
const ABREAST = 64

/**
 * Redrives every row that is open now, in order of their ids, up to the highest id there is at the start: rows that leave
 * the list because they succeed do not make it skip others, and rows that come in meanwhile do not keep it going. What
 * contradicts a movement is left out unless it is the reason asked for.
 * @param each told of each row's fate, in order
 * @throws AppendRefused as `redrive`, after the rows under way have settled; what is done is done, begin again for the rest
 */
export async function redriveAll (
  intake: Intake, by: string, filter: { reason?: string | undefined }, each: (quarantine_id: bigint, redriven: Redriven) => void
): Promise<void> {
  for await (const ids of walk(intake.db, filter)) {
    const settled = await Promise.allSettled(ids.map(async id => await redrive(id, by, intake)))
    for (const [index, result] of settled.entries()) {
      if (result.status === 'fulfilled') each(ids[index] as bigint, result.value)
    }
    const failed = settled.find(result => result.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }
}

async function * walk (db: Db, filter: { reason?: string | undefined }): AsyncGenerator<bigint[]> {
  const upTo = await newestQuarantineId(db)
  for (let after = 0n; after < upTo;) {
    const ids = await openIds(db, { ...filter, after, upTo, limit: ABREAST })
    const last = ids.at(-1)
    if (last === undefined) return
    yield ids
    after = last
  }
}

import type { Db } from '../../postgres/database.ts'
import { markRedriven, markStillUnusable, listOpen, newestQuarantineId, readQuarantined, type OpenRow, type QuarantineState } from './quarantine.sql.ts'
import { inBatches, type BatchLimits } from '../../log/batches.ts'
import { providersOf, storeDelivery, type Ingest, type Refusal, type Stored, type StoredDelivery } from '../store-delivery.ts'

/** What became of a redrive. `event`: stored by it, or before it. */
export type Redriven =
  | { status: 'redriven', event: 'accepted' | 'duplicate' } & Stored
  | { status: 'still_unusable' } & Refusal
  | { status: 'still_conflicting' } & Refusal & Stored
  | { status: 'not_open', state: QuarantineState }
  | { status: 'not_found' }

/**
 * Reads the bytes of an open quarantine row again, with today's code, as if its provider sent them now. A row that
 * still cannot be used stays open, with today's reason. Two redrives of one row at once do no harm: the append stores
 * the event once.
 * @param by who asks for it
 * @throws AppendRefused when nothing was committed as far as we know; the row stays open, try again
 */
export async function redrive (quarantine_id: bigint, by: string, intake: Ingest): Promise<Redriven> {
  const kept = await readQuarantined(intake.db, quarantine_id)
  if (kept === undefined) return { status: 'not_found' }
  if (kept.state !== 'open') return { status: 'not_open', state: kept.state }
  const outcome = await storeAgain(kept, intake)
  switch (outcome.status) {
    case 'accepted': case 'duplicate': {
      const { status: event, ...stored } = outcome
      // Not in one transaction with the append: if we die in between, the row is open, and its next redrive a
      // duplicate.
      await markRedriven(intake.db, quarantine_id, stored, by)
      return { status: 'redriven', event, ...stored }
    }
    case 'unusable': {
      const { status: _, ...why } = outcome
      await markStillUnusable(intake.db, quarantine_id, { ...why, event_id: null, subject: null })
      return { status: 'still_unusable', ...why }
    }
    case 'conflict': {
      const { status: _, ...why } = outcome
      const { reason, detail, event_id, subject } = why
      await markStillUnusable(intake.db, quarantine_id, { reason, detail, event_id, subject })
      return { status: 'still_conflicting', ...why }
    }
  }
}

async function storeAgain ({ provider, body }: { provider: string, body: Buffer }, intake: Ingest): Promise<StoredDelivery> {
  const sender = providersOf(intake).named(provider)
  if (sender !== undefined) return await storeDelivery(body, intake, sender)
  return { status: 'unusable', reason: 'unknown_provider', detail: `this version has no reader for deliveries of the provider ${JSON.stringify(provider)}` }
}

/** Rows read again at once: enough for the appender to batch, few enough for its queue and the memory. */
const ABREAST: BatchLimits = { items: 64, bytes: 8_000_000 }
/** Ids read at once. */
const PAGE_ROWS = 1000

/**
 * Redrives every row that is open now, in order of their ids, up to the highest id at the start: rows that leave the
 * list because they succeed do not make it skip others, and rows that come in meanwhile do not keep it going. Rows that
 * contradict a movement are left out, unless the filter asks for that reason.
 * @param each called with each row's outcome, in order
 * @throws AppendRefused as `redrive`, after the rows under way are done; run it again for the rest
 */
export async function redriveAll (
  intake: Ingest, by: string, filter: { reason?: string | undefined }, each: (quarantine_id: bigint, redriven: Redriven) => void
): Promise<void> {
  for await (const rows of inBatches(walk(intake.db, filter), ABREAST, ({ bytes }) => bytes)) {
    const settled = await Promise.allSettled(rows.map(async ({ quarantine_id }) => await redrive(quarantine_id, by, intake)))
    for (const [index, result] of settled.entries()) {
      if (result.status === 'fulfilled') each((rows[index] as OpenRow).quarantine_id, result.value)
    }
    const failed = settled.find(result => result.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }
}

async function * walk (db: Db, filter: { reason?: string | undefined }): AsyncGenerator<OpenRow> {
  const upTo = await newestQuarantineId(db)
  for (let after = 0n; after < upTo;) {
    const rows = await listOpen(db, { ...filter, after, upTo, limit: PAGE_ROWS })
    yield * rows
    const last = rows.at(-1)
    if (last === undefined) return
    after = last.quarantine_id
  }
}

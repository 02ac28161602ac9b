import { inBatches, type BatchLimits } from '../../log/batches.ts'
import { providersOf, storeIdentified } from '../../ingest/store-delivery.ts'
import { CONTRADICTS_MOVEMENT, type SetAside } from '../../ingest/quarantine/quarantine.sql.ts'
import { knownProviders, type Providers } from '../../providers/index.ts'
import type { EventReader } from '../../providers/provider.ts'
import type { Entry } from './entry.ts'
import { whatIsKnown, type Known } from './known.ts'
import { readEntry, type ReadEntry } from './read.ts'
import type { Sink } from './sink.ts'
import type { Outcome, ImportTally } from './tally.ts'

/** What is looked up and appended at once: far less than an appender's queue takes. */
const BATCH: BatchLimits = { items: 256, bytes: 8_000_000 }

/**
 * Takes the entries of one file in: through the same identity and the same append as a webhook.
 * @throws AppendRefused when the database is away: what is counted is done, begin again for the rest
 */
export async function importEntries (entries: AsyncIterable<Entry>, sink: Sink, tally: ImportTally): Promise<void> {
  for await (const batch of inBatches(entries, BATCH, ({ bytes }) => bytes)) await importBatch(batch, sink, tally)
}

/** Counts the entries that cannot be read, and stores nothing. */
export async function checkEntries (entries: AsyncIterable<Entry>, tally: ImportTally, providers: Providers = knownProviders): Promise<void> {
  for await (const entry of entries) {
    const read = readEntry(entry, providers)
    tally.progress(entry.bytes)
    if (read.as === 'bad') count(read, read, tally)
  }
}

/** Reads entries without decoding them, for errors of the file as a whole. */
export async function skimEntries (entries: AsyncIterable<Entry>, tally: ImportTally): Promise<void> {
  for await (const { bytes } of entries) tally.progress(bytes)
}

/** An entry that comes to something. */
type Settled = Exclude<ReadEntry, { as: 'warning' }>
interface EntryResult { as: Outcome, stored?: boolean, reason?: string }

async function importBatch (batch: readonly Entry[], sink: Sink, tally: ImportTally): Promise<void> {
  const providers = providersOf(sink.intake)
  const entries: Settled[] = []
  for (const entry of batch) {
    const read = readEntry(entry, providers)
    if (read.as === 'warning') tally.warn?.(read.warning)
    else entries.push(read)
  }
  const rows = entries.flatMap(entry => entry.as === 'row' ? [{ ...entry.identified, movement: entry.movement }] : [])
  const known = rows.length === 0 ? [] : await whatIsKnown(sink.intake.db, rows)
  let row = 0
  const settled = await Promise.allSettled(entries.map(async entry => await importEntry(entry, entry.as === 'row' ? known[row++] : undefined, sink)))
  settled.forEach((result, index) => {
    if (result.status === 'fulfilled') count(result.value, entries[index] as Settled, tally)
  })
  const failed = settled.find(result => result.status === 'rejected')
  if (failed !== undefined) throw failed.reason
  tally.progress(batch.reduce((sum, { bytes }) => sum + bytes, 0))
}

function count ({ as, stored = false, reason }: EntryResult, entry: ReadEntry, { counts, remark }: ImportTally): void {
  counts[as]++
  if ('kind' in entry) {
    const ofKind = counts.kinds[entry.kind] ??= {}
    ofKind[as] = (ofKind[as] ?? 0) + 1
  }
  if (stored) {
    counts.stored++
    if (entry.as === 'row' && entry.to_the_second) counts.to_the_second++
    if (entry.as === 'delivery' && entry.unknown_type === true) counts.unknown_type++
  }
  if (as === 'conflict' || as === 'bad' || as === 'set_aside') remark({ line: entry.line, what: as === 'set_aside' ? 'set aside' : as, reason: reason ?? '' })
}

async function importEntry (entry: Settled, known: Known | undefined, sink: Sink): Promise<EntryResult> {
  if (entry.as === 'bad') return entry
  if (entry.as === 'pointless') return { as: 'ignored' }
  if (entry.as === 'unmatched') return await setAside(entry, { as: 'set_aside', reason: entry.reason, detail: entry.detail }, sink)
  if (known?.as === 'same') return { as: 'duplicate' }
  if (known?.as === 'contradicted') {
    const { event_id, subject } = known.by
    const detail = `the row contradicts what event ${event_id} about ${subject} states about the same movement; the stored event stays until a person decides`
    return await setAside(entry, { as: 'conflict', reason: CONTRADICTS_MOVEMENT, detail, event_id, subject }, sink)
  }
  const settled = await storeIdentified(entry.identified, entry.as === 'event' ? sink.restoring : sink.intake, entry.provider)
  switch (settled.status) {
    case 'accepted': return { as: known?.as === 'known' ? 'duplicate' : 'new', stored: true }
    case 'duplicate': return { as: 'duplicate' }
    case 'unusable': return { as: 'bad', reason: `${settled.reason}: ${settled.detail}` }
    case 'conflict': {
      const { reason, detail, event_id, subject } = settled
      return await setAside(entry, { as: 'conflict', reason, detail, event_id, subject }, sink)
    }
  }
}

interface WhyAside { as: 'conflict' | 'set_aside', reason: string, detail: string, event_id?: string, subject?: string }

async function setAside ({ body, provider }: { body: Buffer, provider: EventReader }, { as, ...why }: WhyAside, sink: Sink): Promise<EntryResult> {
  const { quarantine_id, fate } = await sink.setAside({ provider: provider.name, body, headers: {}, ...why })
  return fate === 'discarded' ? { as: 'discarded' } : { as, reason: `${why.detail}; ${waiting(fate, quarantine_id)}` }
}

function waiting (fate: SetAside['fate'], quarantine_id: bigint | undefined): string {
  if (quarantine_id === undefined) return 'it would wait in quarantine'
  return fate === 'reopened' ? `row ${quarantine_id} of quarantine is open again` : `it waits in quarantine as row ${quarantine_id}`
}

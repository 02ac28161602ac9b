import { conflictWith, identifySafely, settleDelivery, type Intake, type Refusal } from '../intake/settle.ts'
import { createRehearsal } from '../intake/rehearsal.ts'
import type { MovementSighting } from '../ledger/facts.ts'
import { factsOf, type IdentifiedDelivery } from '../provider/voucherify/delivery.ts'
import { isObject } from '../provider/voucherify/json.ts'
import { EXPORT } from '../provider/voucherify/families/exported.ts'
import { quarantine } from '../store/quarantine.ts'
import type { Entry } from './entry.ts'
import { whatIsKnown, type Known } from './known.ts'

/** How many entries an import came to, by what became of them. */
export interface Counts {
  /** Told nothing that was known. */
  new: number
  /** Known already: the event was stored before, or another one told the same movement. */
  duplicate: number
  /** Contradicts what is stored: it waits in quarantine, and the stored one stands. */
  conflict: number
  /** Rows that move no points, such as those of gift cards. */
  ignored: number
  /** Cannot be read. */
  bad: number
  /** Events that were appended. */
  stored: number
}

export const NO_COUNTS: Counts = Object.freeze({ new: 0, duplicate: 0, conflict: 0, ignored: 0, bad: 0, stored: 0 })

/** An entry that a person must look at. */
export interface Remark { line: number, what: 'bad' | 'conflict', reason: string }

/** What an import does with what it has read. */
export interface Sink {
  /** Stores, or in a rehearsal would store: @returns whether the event is new, stored before, or contradicts a stored one. */
  settle: (entry: ReadEntry) => Promise<'accepted' | 'duplicate' | { conflict: Refusal } | { bad: Refusal }>
  /** Keeps an entry that contradicts a stored event. */
  setAside: (entry: ReadEntry, why: Refusal & { event_id: string, subject: string }) => Promise<void>
}

interface ReadEntry { line: number, body: Buffer, identified: IdentifiedDelivery, row: MovementSighting | 'ignored' | undefined }

/** Entries looked up and appended together. */
const BATCH_ENTRIES = 256

/**
 * Takes the entries of one file in: through the same identity and the same append as a webhook.
 * @param remark told of each entry that a person must look at
 * @param progress told of bytes read
 * @returns what became of them
 * @throws AppendRefused when the database is away: what is stored is stored, begin again for the rest
 */
export async function importEntries (
  entries: AsyncIterable<Entry>, intake: Intake, sink: Sink, remark: (remark: Remark) => void, progress: (bytes: number) => void
): Promise<Counts> {
  const counts = { ...NO_COUNTS }
  let batch: ReadEntry[] = []
  let bytes = 0
  for await (const entry of entries) {
    bytes += entry.bytes
    const read = readEntry(entry)
    if ('bad' in read) {
      counts.bad++
      remark({ line: entry.line, what: 'bad', reason: read.bad })
    } else if (batch.push(read) === BATCH_ENTRIES) {
      await take(batch, intake, sink, counts, remark)
      progress(bytes)
      batch = []
      bytes = 0
    }
  }
  await take(batch, intake, sink, counts, remark)
  progress(bytes)
  return counts
}

/** Counts the entries that cannot be read, and stores nothing. */
export async function checkEntries (entries: AsyncIterable<Entry>, remark: (remark: Remark) => void, progress: (bytes: number) => void): Promise<number> {
  let bad = 0
  for await (const entry of entries) {
    const read = readEntry(entry)
    progress(entry.bytes)
    if (!('bad' in read)) continue
    bad++
    remark({ line: entry.line, what: 'bad', reason: read.bad })
  }
  return bad
}

function readEntry (entry: Entry): ReadEntry | { bad: string } {
  if ('bad' in entry) return { bad: entry.bad }
  const { line, body } = entry
  const identified = identifySafely(body)
  if ('reason' in identified) return { bad: `${identified.reason}: ${identified.detail}` }
  return { line, body, identified, row: rowOf(identified) }
}

/** The movement of an exported row; undefined for a delivery that is none. */
function rowOf ({ body }: IdentifiedDelivery): ReadEntry['row'] {
  const json: unknown = JSON.parse(body)
  if (!isObject(json) || json.export !== EXPORT) return undefined
  return factsOf(body).find(fact => fact.fact === 'movement') ?? 'ignored'
}

async function take (batch: readonly ReadEntry[], intake: Intake, sink: Sink, counts: Counts, remark: (remark: Remark) => void): Promise<void> {
  const rows = batch.map(({ row }) => row).filter(row => typeof row === 'object')
  const known = rows.length === 0 ? [] : await whatIsKnown(intake.db, rows)
  const knownOf = new Map(rows.map((row, index) => [row, known[index]]))
  await Promise.all(batch.map(async entry => {
    const outcome = await takeOne(entry, typeof entry.row === 'object' ? knownOf.get(entry.row) : undefined, sink)
    counts[outcome.as]++
    if (outcome.stored === true) counts.stored++
    if (outcome.as === 'conflict' || outcome.as === 'bad') remark({ line: entry.line, what: outcome.as, reason: outcome.detail })
  }))
}

type Outcome = { as: 'new' | 'duplicate' | 'ignored', stored?: boolean } | { as: 'conflict' | 'bad', detail: string, stored?: false }

async function takeOne (entry: ReadEntry, known: Known | undefined, sink: Sink): Promise<Outcome> {
  if (entry.row === 'ignored') return { as: 'ignored' }
  if (known?.as === 'same') return { as: 'duplicate' }
  if (known?.as === 'contradicted') {
    const { event_id, subject } = known.by
    const detail = `the row contradicts what event ${event_id} about ${subject} told of the same movement; that stands until a person decides`
    await sink.setAside(entry, { reason: 'conflict', detail, event_id, subject })
    return { as: 'conflict', detail }
  }
  const settled = await sink.settle(entry)
  if (settled === 'duplicate') return { as: 'duplicate' }
  if (settled === 'accepted') return { as: known?.as === 'told' ? 'duplicate' : 'new', stored: true }
  if ('bad' in settled) return { as: 'bad', detail: `${settled.bad.reason}: ${settled.bad.detail}` }
  const { event_id, subject } = entry.identified
  await sink.setAside(entry, { ...settled.conflict, event_id, subject })
  return { as: 'conflict', detail: settled.conflict.detail }
}

/** Stores what comes. */
export function storing (intake: Intake): Sink {
  return {
    async settle ({ body }) {
      const settled = await settleDelivery(body, intake)
      switch (settled.status) {
        case 'accepted': case 'duplicate': return settled.status
        case 'conflict': return { conflict: settled }
        case 'unusable': return { bad: settled }
      }
    },
    async setAside ({ body }, { reason, detail, event_id, subject }) {
      await quarantine(intake.db, { body, headers: {}, reason, detail, event_id, subject })
    }
  }
}

/** Says what would be stored, and stores nothing. */
export function rehearsing (intake: Intake): Sink {
  const rehearsal = createRehearsal(intake.db)
  return {
    async settle ({ body }) {
      const rehearsed = await rehearsal.deliver(body)
      switch (rehearsed.status) {
        case 'accepted': case 'duplicate': return rehearsed.status
        case 'conflict': return { conflict: conflictWith(rehearsed) }
        case 'unusable': return { bad: rehearsed }
      }
    },
    async setAside () { /* a rehearsal keeps nothing */ }
  }
}

import { createHash } from 'node:crypto'
import { EXPORTED_LEDGER, type Exported, type Header, type Trailer } from '../export/format.ts'
import { parseInstant } from '../../ledger/instant.ts'
import { UnreadableFile, type Entry } from './entry.ts'
import { readLines } from './lines.ts'

/**
 * The largest body that can be stored, escaped: every exported line must fit, whatever the limit of deliveries is
 * today.
 */
const LINE_LIMIT_BYTES = 256_000_000

/** True if a file begins as an export of a ledger. @throws UnreadableFile if the export has another format version */
export function isExportedLedger (file: string, head: string): boolean {
  const format = /^\{"export":"(loyalty-ledger\/[^"]*)"/.exec(head)?.[1]
  if (format === undefined || format === EXPORTED_LEDGER) return format !== undefined
  throw new UnreadableFile(`${file} is an export in the format ${format}, and this version reads ${EXPORTED_LEDGER}. Import it with the version that made it, or a newer one.`)
}

/**
 * The events of an export of a ledger, with the fields that the export adds.
 * @throws UnreadableFile, at the end of the file, if it was truncated, extended or changed
 */
export async function * exportedEntries (file: string): AsyncGenerator<Entry> {
  const hash = createHash('sha256')
  let header: Header | undefined
  let trailer: Trailer | undefined
  let events = 0
  for await (const { line, bytes, text } of readLines(file, { limit_bytes: LINE_LIMIT_BYTES })) {
    if (trailer !== undefined) throw new UnreadableFile(`${file}:${line}: something stands behind the end of the export. ${TAKE_IT_AGAIN}`)
    const read = text === undefined ? undefined : parse(text.toString())
    if (header === undefined) header = read as Header | undefined
    else if (read !== undefined && 'end' in read) trailer = read as unknown as Trailer
    else {
      events++
      yield { line, bytes, ...entryOf(read) }
    }
    if (trailer === undefined && text !== undefined) hash.update(text).update('\n')
  }
  if (trailer === undefined) throw new UnreadableFile(`${file} ends before its end: ${events} of ${header?.events ?? 'its'} events are there. ${TAKE_IT_AGAIN}`)
  if (trailer.end.events !== events || trailer.end.sha256 !== hash.digest('hex')) throw new UnreadableFile(`${file} is not as it was written: what it holds does not come to the sum in its last line. ${TAKE_IT_AGAIN}`)
}

const TAKE_IT_AGAIN = 'Copy the file once more, or export again. Its lines can be taken in one by one only where it is whole.'

function entryOf (read: Record<string, unknown> | undefined): { body: Buffer, exported: Exported } | { bad: string } {
  if (typeof read?.body !== 'string' || !isExported(read.exported)) return { bad: 'not an event as an export writes it' }
  return { body: Buffer.from(read.body), exported: read.exported }
}

function isExported (value: unknown): value is Exported {
  if (typeof value !== 'object' || value === null) return false
  const { event_id, subject, provider, recorded_at } = value as Record<string, unknown>
  return typeof event_id === 'string' && typeof subject === 'string' && typeof provider === 'string' && typeof recorded_at === 'string' && parseInstant(recorded_at) !== undefined
}

function parse (text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value as Record<string, unknown> : undefined
  } catch {
    return undefined
  }
}

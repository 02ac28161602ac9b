import { isUtf8 } from 'node:buffer'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream'
import { parse, type CsvError } from 'csv-parse'
import { knownProviders, type Providers } from '../../providers/index.ts'
import type { Provider } from '../../providers/provider.ts'
import type { Instant } from '../../ledger/instant.ts'
import { UnreadableFile, type Entry } from './entry.ts'
import { tableOf, warningsOf, type Table } from './tables.ts'

/** A cell of details holds an order at most; a longer record is a quote that was never closed. */
const MAX_RECORD_BYTES = 1_048_576
const UNKNOWN = '1970-01-01T00:00:00.000000Z' as Instant
/** How far the parser is, in lines of the file. */
interface ParserPosition { lines: number, empty_lines: number }
interface Parsed { record: Record<string, string>, info: ParserPosition & { bytes: number } }

export interface CsvOptions {
  /** Of the head, in bytes: after a byte order mark. */
  start?: number
  /** When the file was last written. */
  written_at?: Instant | undefined
  providers?: Providers
}

/**
 * The rows of a provider's export, each as the body of a delivery that carries the cells as they are. Whose export of
 * what it is, the columns show.
 * @throws UnreadableFile when the columns are not those of an export, a quote is never closed, or there are no rows
 */
export async function * csvEntries (file: string, { start = 0, written_at = UNKNOWN, providers = knownProviders }: CsvOptions = {}): AsyncGenerator<Entry> {
  let table: Table | undefined
  const skipped: Entry[] = []
  let last: ParserPosition = { lines: 1, empty_lines: 0 }
  const parser = pipeline(createReadStream(file, { start }), parse({
    columns (head: string[]) {
      const columns = columnsOf(head, file)
      table = tableOf(columns, file, providers)
      skipped.push(...warningsOf(table, columns).map((warning): Entry => ({ line: 1, bytes: 0, warning })))
      return columns
    },
    // Bytes as they are, one a character: cells that are not UTF-8 must not turn into signs for unknown.
    encoding: 'latin1',
    info: true,
    max_record_size: MAX_RECORD_BYTES,
    on_record (record: Parsed['record'], info) {
      last = info
      return record
    },
    on_skip (error) {
      if (error === undefined) return
      refuseOpenQuote(error, last, file)
      last = positionOf(error)
      skipped.push({ line: last.lines, bytes: 0, bad: `not a row of this file: ${error.message}` })
    },
    // Not detected from the first line: concatenated files mix them.
    record_delimiter: ['\r\n', '\n', '\r'],
    skip_empty_lines: true,
    skip_records_with_error: true
  }), () => { /* the loop below gets the error */ })
  let before = 0
  let rows = 0
  try {
    for await (const { record, info } of parser as AsyncIterable<Parsed>) {
      yield * skipped.splice(0)
      yield { line: info.lines, bytes: info.bytes - before + (before === 0 ? start : 0), ...deliveryOf(record, table as Table, written_at) }
      before = info.bytes
      rows++
    }
  } catch (error) {
    throw readable(error, file)
  }
  yield * skipped
  if (rows === 0 && last.lines === 1) throw new UnreadableFile(`${file}: there are no rows in it, only names of columns. Leave it out, or export it again.`)
}

/** Column names as the provider writes them, in any case: `Voucher ID` is `voucher_id`. Names of metadata stay. */
function columnsOf (head: readonly string[], file: string): string[] {
  const columns = head.map(name => {
    const [, metadata] = /^metadata\.(.+)$/is.exec((utf8(name) ?? name).trim()) ?? []
    return metadata === undefined ? (utf8(name) ?? name).trim().toLowerCase().replaceAll(/[\s-]+/g, '_') : `metadata.${metadata}`
  })
  const twice = columns.find((name, index) => columns.indexOf(name) < index)
  if (twice !== undefined) throw new UnreadableFile(`${file}: the column ${twice} is there twice, and nothing says which one counts. Use the export as the provider made it.`)
  return columns
}

function deliveryOf (record: Parsed['record'], { provider, rows }: Table, written_at: Instant): { provider: Provider, body: Buffer, to_the_second: boolean } | { bad: string } {
  const row: Record<string, string> = {}
  for (const [column, cell] of Object.entries(record)) {
    const text = utf8(cell)
    if (text === undefined) return { bad: `the column ${column} is not UTF-8` }
    row[column] = text
  }
  return { provider, body: rows.bodyOf(row, { written_at }), to_the_second: rows.isToTheSecond(row) }
}

/** @returns undefined when the bytes, one a character, are not UTF-8 */
function utf8 (cell: string): string | undefined {
  if (!/[\u0080-\u00ff]/.test(cell)) return cell
  const bytes = Buffer.from(cell, 'latin1')
  return isUtf8(bytes) ? bytes.toString() : undefined
}

/**
 * After a quote that was not closed, all rows are text of one cell: skipping that one bad record would lose them
 * silently.
 */
function refuseOpenQuote (error: CsvError, last: ParserPosition, file: string): void {
  const { lines, empty_lines } = positionOf(error)
  const spanned = (lines - empty_lines) - (last.lines - last.empty_lines)
  if (spanned <= 1 && error.code !== 'CSV_QUOTE_NOT_CLOSED' && error.code !== 'CSV_MAX_RECORD_SIZE') return
  const begins = last.lines + 1 + empty_lines - last.empty_lines
  throw new UnreadableFile(`${file}:${begins}: a quote that begins here is not closed, or a record is longer than ${MAX_RECORD_BYTES} bytes, so that it cannot be said where the next row begins (${error.message}). Mend the line, or export the file again.`, { cause: error })
}

function positionOf ({ lines, empty_lines }: CsvError): ParserPosition {
  return { lines: typeof lines === 'number' ? lines : 1, empty_lines: typeof empty_lines === 'number' ? empty_lines : 0 }
}

function readable (error: unknown, file: string): unknown {
  if (!(error instanceof Error) || !('code' in error) || !String(error.code).startsWith('CSV_')) return error
  return new UnreadableFile(`${file}: ${error.message}. Is it the CSV as the provider exported it, unchanged by a spreadsheet?`, { cause: error })
}

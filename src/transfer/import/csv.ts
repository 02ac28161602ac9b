import { isUtf8 } from 'node:buffer'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream'
import { parse, type CsvError } from 'csv-parse'
import { EXPORT } from '../../providers/voucherify/families/exported.ts'
import { UnreadableFile, type Entry } from './entry.ts'

/** Columns without which a file is no export of transactions, or its awards and spends cannot be distinguished. */
const NEEDED = ['id', 'voucher_id', 'type', 'amount', 'created_at', 'details']
/** A cell of details contains one order at most; a longer record is a quote that was never closed. */
const MAX_RECORD_BYTES = 1_048_576
/** The position of the parser, in lines of the file. */
interface ParserPosition { lines: number, empty_lines: number }
interface Parsed { record: Record<string, string>, info: ParserPosition & { bytes: number } }

/**
 * The rows of a card or campaign transaction export, each as the body of a delivery that contains the cells unchanged.
 * @param options.start of the head, in bytes: after a byte order mark
 * @throws UnreadableFile if the columns are not those of the export, a quote is never closed, or there are no rows
 */
export async function * csvEntries (file: string, { start = 0 } = {}): AsyncGenerator<Entry> {
  const skipped: Entry[] = []
  let last: ParserPosition = { lines: 1, empty_lines: 0 }
  const parser = pipeline(createReadStream(file, { start }), parse({
    columns: (head: string[]) => columnsOf(head, file),
    // One character a byte: cells that are not UTF-8 must not turn into replacement characters.
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
      yield { line: info.lines, bytes: info.bytes - before + (before === 0 ? start : 0), ...bodyOf(record) }
      before = info.bytes
      rows++
    }
  } catch (error) {
    throw readable(error, file)
  }
  yield * skipped
  if (rows === 0 && last.lines === 1) throw new UnreadableFile(`${file}: there are no rows in it, only names of columns. Leave it out, or export it again.`)
}

/** Column names as the provider writes them, in any case: `Voucher ID` is `voucher_id`. */
function columnsOf (head: readonly string[], file: string): string[] {
  const columns = head.map(name => (utf8(name) ?? name).trim().toLowerCase().replaceAll(/[\s-]+/g, '_'))
  const twice = columns.find((name, index) => columns.indexOf(name) < index)
  if (twice !== undefined) throw new UnreadableFile(`${file}: the column ${twice} stands there twice, and nothing says which one counts. Take the export as the provider made it.`)
  const missing = NEEDED.filter(name => !columns.includes(name))
  if (missing.length > 0) {
    const are = missing.length === 1 ? 'column' : 'columns'
    throw new UnreadableFile(`${file}: the ${are} ${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} missing, so this is no export of card transactions. Export them from the card or the campaign as CSV, with all columns.`)
  }
  return columns
}

function bodyOf (record: Parsed['record']): { body: Buffer, to_the_second: boolean } | { bad: string } {
  const row: Record<string, string> = {}
  for (const [column, cell] of Object.entries(record)) {
    const text = utf8(cell)
    if (text === undefined) return { bad: `the column ${column} is not UTF-8` }
    row[column] = text
  }
  return { body: Buffer.from(JSON.stringify({ export: EXPORT, row })), to_the_second: !/\.\d/.test(row.created_at ?? '') }
}

/** @returns undefined when the bytes, one a character, are not UTF-8 */
function utf8 (cell: string): string | undefined {
  if (!/[\u0080-\u00ff]/.test(cell)) return cell
  const bytes = Buffer.from(cell, 'latin1')
  return isUtf8(bytes) ? bytes.toString() : undefined
}

/** After a quote that was not closed, all rows are text of one cell: skipping that one bad record would lose them silently. */
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

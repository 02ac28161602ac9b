import { createReadStream } from 'node:fs'
import { parse, type CsvError } from 'csv-parse'
import { EXPORT } from '../provider/voucherify/families/exported.ts'
import { UnreadableFile, type Entry } from './entry.ts'

/** Columns without which a file is no export of transactions. */
const NEEDED = ['id', 'voucher_id', 'type', 'amount', 'created_at']
/** A cell of details holds an order at most; a longer record is a quote that was never closed. */
const MAX_RECORD_CHARACTERS = 1_048_576

/**
 * The rows of a card or campaign transaction export, each as the body of a delivery that carries the cells as they stand.
 * One row at a time: a file of any size costs the same memory.
 * @throws UnreadableFile when the columns are not those of the export, or a quote is never closed
 */
export async function * csvEntries (file: string): AsyncGenerator<Entry> {
  const skipped: Entry[] = []
  const parser = createReadStream(file).pipe(parse({
    bom: true,
    columns: (head: string[]) => columnsOf(head, file),
    info: true,
    skip_empty_lines: true,
    max_record_size: MAX_RECORD_CHARACTERS,
    skip_records_with_error: true,
    on_skip: error => { if (error !== undefined) skipped.push({ line: lineOf(error), bytes: 0, bad: `not a row of this file: ${error.message}` }) }
  }))
  let before = 0
  try {
    for await (const { record, info } of parser as AsyncIterable<{ record: Record<string, string>, info: { lines: number, bytes: number } }>) {
      yield * skipped.splice(0)
      const bytes = info.bytes - before
      before = info.bytes
      yield { line: info.lines, bytes, body: Buffer.from(JSON.stringify({ export: EXPORT, row: record })) }
    }
    yield * skipped
  } catch (error) {
    if (error instanceof UnreadableFile) throw error
    const { code } = error as NodeJS.ErrnoException
    if (code?.startsWith('CSV_') !== true) throw error
    throw new UnreadableFile(`${file}: ${(error as Error).message}. Is it the CSV as the provider exported it, unchanged by a spreadsheet?`, { cause: error })
  }
}

function lineOf (error: CsvError): number {
  const { lines } = error as unknown as { lines?: number }
  return lines ?? 0
}

/** Names as the provider writes them, whatever their case: `Voucher ID` is `voucher_id`. */
function columnsOf (head: readonly string[], file: string): string[] {
  const columns = head.map(name => name.trim().toLowerCase().replaceAll(/[\s-]+/g, '_'))
  const missing = NEEDED.filter(name => !columns.includes(name))
  if (missing.length > 0) {
    throw new UnreadableFile(`${file}: the columns ${missing.join(', ')} are missing, so this is no export of card transactions. Export them from the card or the campaign as CSV, with all columns.`)
  }
  return columns
}

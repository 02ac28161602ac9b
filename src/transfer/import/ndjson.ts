import type { Entry } from './entry.ts'
import { readLines } from './lines.ts'

const CARRIAGE_RETURN = 0x0d

/**
 * The lines of a file of deliveries, one JSON body a line, byte for byte. Skips empty lines.
 * @param options.start of the first line, in bytes: after a byte order mark
 * @param options.limit_bytes a longer line is bad
 */
export async function * ndjsonEntries (file: string, options: { start?: number, limit_bytes: number }): AsyncGenerator<Entry> {
  for await (const { line, length, bytes, text } of readLines(file, options)) {
    if (text === undefined) yield { line, bytes, bad: `the line has ${length} bytes, more than BODY_LIMIT_BYTES (${options.limit_bytes}) allows` }
    else if (trimmed(text).length > 0) yield { line, bytes, body: trimmed(text) }
  }
}

/** Removes the carriage return of a file that was written on Windows. */
function trimmed (body: Buffer): Buffer {
  return body.at(-1) === CARRIAGE_RETURN ? body.subarray(0, -1) : body
}

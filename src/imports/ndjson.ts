import { createReadStream } from 'node:fs'
import type { Entry } from './entry.ts'

const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d

/**
 * The lines of a file of deliveries, one JSON body a line, byte for byte; empty lines are nothing. One line at a time: a file
 * of any size costs the same memory.
 * @param options.start of the first line, in bytes: after a byte order mark
 * @param options.limit_bytes a longer line is bad
 */
export async function * ndjsonEntries (file: string, { start: first = 0, limit_bytes }: { start?: number, limit_bytes: number }): AsyncGenerator<Entry> {
  let line = 1
  let length = 0
  let parts: Buffer[] = []
  for await (const chunk of createReadStream(file, { start: first }) as AsyncIterable<Buffer>) {
    let start = 0
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
      keep(chunk.subarray(start, end))
      yield * finish(1)
      start = end + 1
    }
    keep(chunk.subarray(start))
  }
  yield * finish(0)

  function keep (part: Buffer): void {
    length += part.length
    // What is too long is counted and no longer kept.
    if (length <= limit_bytes) parts.push(part)
    else parts = []
  }

  function * finish (lineEnd: number): Generator<Entry> {
    const told = { line: line++, bytes: length + lineEnd }
    const body = trimmed(Buffer.concat(parts))
    if (length > limit_bytes) yield { ...told, bad: `the line has ${length} bytes, more than BODY_LIMIT_BYTES (${limit_bytes}) allows` }
    else if (body.length > 0) yield { ...told, body }
    length = 0
    parts = []
  }
}

/** Without the carriage return of a file that was written on Windows; a line of nothing is nothing. */
function trimmed (body: Buffer): Buffer {
  return body.at(-1) === CARRIAGE_RETURN ? body.subarray(0, -1) : body
}

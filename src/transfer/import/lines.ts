import { createReadStream } from 'node:fs'

const LINE_FEED = 0x0a

/**
 * A line of a file. `length` and `bytes`: without and with the line end. `text`: without it; undefined if longer than
 * the limit.
 */
export interface FileLine { line: number, length: number, bytes: number, text: Buffer | undefined }

/**
 * The lines of a file, byte for byte. Memory does not grow with the file.
 * @param options.start of the first line, in bytes: after a byte order mark
 * @param options.limit_bytes of a line: a longer line is counted and not kept
 */
export async function * readLines (file: string, { start: first = 0, limit_bytes }: { start?: number, limit_bytes: number }): AsyncGenerator<FileLine> {
  let line = 1
  let length = 0
  let parts: Buffer[] = []
  for await (const chunk of createReadStream(file, { start: first }) as AsyncIterable<Buffer>) {
    let start = 0
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
      keep(chunk.subarray(start, end))
      yield finish(1)
      start = end + 1
    }
    keep(chunk.subarray(start))
  }
  if (length > 0) yield finish(0)

  function keep (part: Buffer): void {
    length += part.length
    if (length <= limit_bytes) parts.push(part)
    else parts = []
  }

  function finish (lineEnd: number): FileLine {
    const read = { line: line++, length, bytes: length + lineEnd, text: length > limit_bytes ? undefined : Buffer.concat(parts) }
    length = 0
    parts = []
    return read
  }
}

import { createReadStream } from 'node:fs'
import { UnreadableFile } from './entry.ts'

/** An object of a page: its JSON text, and the line that it begins in. `text` is undefined if longer than the limit. */
export interface PageObject { line: number, bytes: number, text: Buffer | undefined }

const [QUOTE, BACKSLASH, LINE_FEED] = [0x22, 0x5c, 0x0a]
const [OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET] = [0x7b, 0x7d, 0x5b, 0x5d]

const MEMBER = String.raw`"(?:data_ref|has_more|more_starting_after|total)"\s*:\s*(?:"[^"]*"|[\w.]+)\s*,\s*`
const PAGE = new RegExp(String.raw`^\{\s*(?:${MEMBER})*(?:"object"\s*:\s*"list"|"\w+"\s*:\s*\[\s*[{\]])`)

/**
 * True if a file begins as a page of the provider's API: an object that calls itself a list, or begins with a list of
 * objects. No delivery does.
 */
export function isPage (head: string): boolean {
  return PAGE.test(head)
}

/**
 * The objects in the lists of pages, one page after the other, each as the characters that stand there. It may be
 * printed over many lines. Memory holds one object at a time.
 * @throws UnreadableFile where the file ends inside a page, or something else stands between pages
 */
export async function * pageObjects (file: string, { start = 0, limit_bytes }: { start?: number, limit_bytes: number }): AsyncGenerator<PageObject> {
  const state: Scan = { depth: 0, in_list: false, in_string: false, escaped: false, line: 1, kept: undefined, length: 0, begins: 1, since: 0 }
  for await (const chunk of createReadStream(file, { start }) as AsyncIterable<Buffer>) {
    for (const object of scan(chunk, state, limit_bytes, file)) yield object
  }
  if (state.depth > 0 || state.in_string) throw new UnreadableFile(`${file} ends inside a page: the file is cut off. Get the page once more.`)
}

interface Scan {
  /** 0 between pages, 1 in a page, 2 in a member of it, more inside that. */
  depth: number
  /** Is the member a list? */
  in_list: boolean
  in_string: boolean
  escaped: boolean
  line: number
  /** The pieces of the object at hand; undefined between objects. */
  kept: Buffer[] | undefined
  length: number
  begins: number
  /** Bytes since the last object. */
  since: number
}

/** The depth of an object in a list of a page. */
const OBJECT = 3

function * scan (chunk: Buffer, state: Scan, limit_bytes: number, file: string): Generator<PageObject> {
  let from = 0
  for (let at = 0; at < chunk.length; at++) {
    const byte = chunk[at] as number
    state.since++
    if (byte === LINE_FEED) state.line++
    if (state.in_string) {
      if (state.escaped) state.escaped = false
      else if (byte === BACKSLASH) state.escaped = true
      else if (byte === QUOTE) state.in_string = false
      continue
    }
    switch (byte) {
      case QUOTE:
        if (state.depth === 0) throw notPage(file, state.line)
        state.in_string = true
        break
      case OPEN_BRACE: case OPEN_BRACKET:
        state.depth++
        if (state.depth === 1 && byte !== OPEN_BRACE) throw notPage(file, state.line)
        if (state.depth === 2) state.in_list = byte === OPEN_BRACKET
        if (state.depth === OBJECT && state.in_list && byte === OPEN_BRACE) {
          Object.assign(state, { kept: [], length: 0, begins: state.line })
          from = at
        }
        break
      case CLOSE_BRACE: case CLOSE_BRACKET:
        if (state.depth === OBJECT && state.kept !== undefined) {
          keep(chunk.subarray(from, at + 1), state, limit_bytes)
          yield { line: state.begins, bytes: state.since, text: state.length > limit_bytes ? undefined : Buffer.concat(state.kept) }
          Object.assign(state, { kept: undefined, since: 0 })
        }
        state.depth--
        if (state.depth < 0) throw notPage(file, state.line)
        break
      default:
        if (state.depth === 0 && byte > 0x20) throw notPage(file, state.line)
    }
  }
  if (state.kept !== undefined) keep(chunk.subarray(from), state, limit_bytes)
}

function keep (piece: Buffer, state: Scan, limit_bytes: number): void {
  state.length += piece.length
  if (state.length <= limit_bytes) state.kept?.push(piece)
  else state.kept = []
}

function notPage (file: string, line: number): UnreadableFile {
  return new UnreadableFile(`${file}:${line}: here stands something that is no page of the API, and where it ends is not clear. Give each file pages only, or one object or delivery a line.`)
}

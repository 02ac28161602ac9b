import { parseInstant, type Instant } from '../ledger/instant.ts'
import type { AsOf } from '../ledger/time-travel.ts'
import { readCursor, type CursorPart } from './paging.ts'
import { cursorInvalid, Problem } from './problem.ts'

/** @throws Problem 400 time_invalid */
export function readAsOf ({ at, known_at }: { at?: string, known_at?: string }): AsOf {
  return { at: readMoment('at', at), known_at: readMoment('known_at', known_at) }
}

/** Does a read ask about the past at all? Without it the answer is the live one, and costs no more than ever. */
export function looksBack ({ at, known_at }: AsOf): boolean {
  return at !== null || known_at !== null
}

function readMoment (name: string, text: string | undefined): Instant | null {
  if (text === undefined) return null
  const instant = parseInstant(text)
  if (instant !== undefined) return instant
  throw new Problem(400, 'time_invalid', `${name}: ${JSON.stringify(text)} ${whatIsWrong(text)} Send a moment with its time zone, for example ${name}=2026-01-31T23:59:59.999999Z or ${name}=2026-02-01T00:59:59%2B01:00.`)
}

function whatIsWrong (text: string): string {
  if (/^\d{4}-\d{2}-\d{2}$/.test(text)) return 'is a day, and a day begins and ends elsewhere in every time zone.'
  // A plus sign in a query is a blank.
  if (/\d{2}:\d{2}(:[\d.]+)? \d{2}:?\d{2}$/.test(text)) return 'has a blank where its zone should be: in a URL the sign + is written %2B.'
  if (/^\d{4}-\d{2}-\d{2}[Tt ][\d:.,]+$/.test(text)) return 'has no time zone.'
  return 'is not an RFC 3339 timestamp.'
}

/**
 * Reads a cursor of a list that can look back. It goes on only with the clocks it was made with: with others the lines
 * before it would be those of another list.
 * @throws Problem 400 cursor_invalid
 */
export function readCursorAt (cursor: string | undefined, shape: readonly CursorPart[], asOf: AsOf): string[] | undefined {
  const marks = asOfMarks(asOf)
  const parts = readCursor(cursor, [...shape, ...marks.map((): CursorPart => 'text')])
  if (parts?.slice(shape.length).some((mark, index) => mark !== marks[index]) === true) {
    throw cursorInvalid('This cursor was made with another at or known_at. Send the at and known_at of the first page, or omit cursor to begin with the first page.')
  }
  return parts?.slice(0, shape.length)
}

/** What a cursor carries of the clocks; nothing where none was asked for. */
export function asOfMarks (asOf: AsOf): string[] {
  return looksBack(asOf) ? [asOf.at ?? '', asOf.known_at ?? ''] : []
}

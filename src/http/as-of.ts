import { parseInstant, type Instant } from '../ledger/instant.ts'
import type { AsOf } from '../ledger/as-of.ts'
import { readCursor, type CursorPart } from './paging.ts'
import { cursorInvalid, Problem } from './problem.ts'

/**
 * Reads `at` and `known_at` from a query.
 * @throws Problem 400 time_invalid
 */
export function readAsOf ({ at, known_at }: { at?: string, known_at?: string }): AsOf {
  return { at: readMoment('at', at), known_at: readMoment('known_at', known_at) }
}

/** True if a read asks about the past. Otherwise the live rows answer it, at no extra cost. */
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
  if (/^\d{4}-\d{2}-\d{2}$/.test(text)) return 'is a day, and a day begins and ends at another moment in each time zone.'
  // A plus sign in a query string means a space.
  if (/\d{2}:\d{2}(:[\d.]+)? \d{2}:?\d{2}$/.test(text)) return 'has a space where its time zone should be: in a URL the sign + is written %2B.'
  if (/^\d{4}-\d{2}-\d{2}[Tt ][\d:.,]+$/.test(text)) return 'has no time zone.'
  return 'is not an RFC 3339 timestamp.'
}

/**
 * Reads a cursor of a list that accepts `at` and `known_at`. The cursor is valid only with the values it was made with:
 * with others it would continue another list.
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

/** The as-of times that a cursor carries; none if the read does not ask about the past. */
export function asOfMarks (asOf: AsOf): string[] {
  return looksBack(asOf) ? [asOf.at ?? '', asOf.known_at ?? ''] : []
}

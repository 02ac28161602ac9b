import { hash } from 'node:crypto'
import type { AsOf } from '../ledger/as-of.ts'
import { parseInstant, type Instant } from '../ledger/instant.ts'
import { cursorInvalid } from './problem.ts'
import { looksBack } from './read-query.ts'

/** The maximum page size. A larger limit is not an error: the page is shorter, and next_cursor continues the list. */
export const MAX_LIMIT = 500

/** How many rows to read for a page: one more than its size, which shows whether there is a next page. */
export function rowsFor (limit: number): number {
  return pageSize(limit) + 1
}

function pageSize (limit: number): number {
  return Math.min(limit, MAX_LIMIT)
}

/** Names a list: the operation, what it is about, and its filters. A cursor is of one list. */
export type ListName = readonly [operation: string, ...about: Array<string | number | undefined>]

function markOfList (list: ListName): string {
  return hash('sha256', JSON.stringify(list.map(part => part ?? null)), 'base64url').slice(0, 8)
}

/**
 * Makes a page from the rows that were read for it.
 * @param rows at most `rowsFor(limit)` rows
 * @param key the values that the cursor must carry to continue after `row`
 */
export function pageOf<Row> (list: ListName, rows: readonly Row[], limit: number, key: (row: Row) => ReadonlyArray<string | number>): { items: Row[], next_cursor: string | null } {
  const size = pageSize(limit)
  const items = rows.slice(0, size)
  const last = items.at(-1)
  const more = rows.length > size && last !== undefined
  return { items, next_cursor: more ? Buffer.from(JSON.stringify([markOfList(list), ...key(last)])).toString('base64url') : null }
}

export type CursorPart = 'text' | 'instant' | 'day' | keyof typeof GREATEST

const GREATEST = { smallint: 32_767n, integer: 2_147_483_647n, bigint: 9_223_372_036_854_775_807n }

/**
 * Decodes a cursor that `pageOf` made for the same list. One of another list would continue at a place that means
 * nothing here.
 * @throws Problem 400 cursor_invalid
 */
export function readCursor (list: ListName, cursor: string | undefined, shape: readonly CursorPart[]): string[] | undefined {
  if (cursor === undefined) return undefined
  try {
    const decoded = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown
    if (Array.isArray(decoded)) {
      const [mark, ...parts] = decoded as unknown[]
      if (mark === markOfList(list) && parts.length === shape.length && parts.every((part, index) => fits(part, shape[index]))) return parts.map(String)
    }
  } catch { /* not JSON: refused below */ }
  throw cursorInvalid('This cursor does not belong to this list. Send next_cursor of the previous page with all other parameters unchanged, or no cursor to start at the beginning.')
}

/**
 * Reads a cursor of a list that accepts `at` and `known_at`. The cursor is valid only with the values it was made with:
 * with others it would continue another list.
 * @throws Problem 400 cursor_invalid
 */
export function readCursorAt (list: ListName, cursor: string | undefined, shape: readonly CursorPart[], asOf: AsOf): string[] | undefined {
  const marks = asOfMarks(asOf)
  const parts = readCursor(list, cursor, [...shape, ...marks.map((): CursorPart => 'text')])
  if (parts?.slice(shape.length).some((mark, index) => mark !== marks[index]) === true) {
    throw cursorInvalid('This cursor was made with another at or known_at. Send the at and known_at of the first page, or omit cursor to begin with the first page.')
  }
  return parts?.slice(0, shape.length)
}

/** The as-of times that a cursor carries; none if the read does not ask about the past. */
export function asOfMarks (asOf: AsOf): string[] {
  return looksBack(asOf) ? [asOf.at ?? '', asOf.known_at ?? ''] : []
}

function fits (part: unknown, shape: CursorPart | undefined): boolean {
  if (shape === 'smallint' || shape === 'integer' || shape === 'bigint') return /^\d{1,19}$/.test(String(part)) && BigInt(String(part)) <= GREATEST[shape]
  if (typeof part !== 'string' || part.includes('\u0000')) return false
  if (shape === 'day') return /^\d{4}-\d{2}-\d{2}$/.test(part) && parseInstant(`${part}T00:00:00Z`) !== undefined
  return shape === 'text' || parseInstant(part) === part as Instant
}

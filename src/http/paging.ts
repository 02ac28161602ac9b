import { parseInstant, type Instant } from '../ledger/instant.ts'
import { cursorInvalid } from './problem.ts'

/** The longest page there is. Asking for more is no error: the page is just shorter, and says where to go on. */
export const MAX_LIMIT = 500

/** How many rows to read for a page: one more than it holds tells whether there is a next one. */
export function rowsFor (limit: number): number {
  return pageSize(limit) + 1
}

function pageSize (limit: number): number {
  return Math.min(limit, MAX_LIMIT)
}

/**
 * A page out of one row more than it holds.
 * @param rows up to `rowsFor(limit)`
 * @param key what the cursor must carry to find the row after `row`
 */
export function pageOf<Row> (rows: readonly Row[], limit: number, key: (row: Row) => ReadonlyArray<string | number>): { items: Row[], next_cursor: string | null } {
  const size = pageSize(limit)
  const items = rows.slice(0, size)
  const last = items.at(-1)
  const more = rows.length > size && last !== undefined
  return { items, next_cursor: more ? Buffer.from(JSON.stringify(key(last))).toString('base64url') : null }
}

export type CursorPart = 'text' | 'instant' | keyof typeof GREATEST

const GREATEST = { smallint: 32_767n, integer: 2_147_483_647n, bigint: 9_223_372_036_854_775_807n }

/**
 * Reads a cursor of ours back.
 * @throws Problem 400 cursor_invalid
 */
export function readCursor (cursor: string | undefined, shape: readonly CursorPart[]): string[] | undefined {
  if (cursor === undefined) return undefined
  try {
    const parts = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown
    if (Array.isArray(parts) && parts.length === shape.length && parts.every((part, index) => fits(part, shape[index]))) {
      return parts.map(String)
    }
  } catch { /* not JSON: malformed, as below */ }
  throw cursorInvalid('This cursor does not belong to this list. Send the next_cursor of the previous page with all other parameters unchanged, or omit cursor to begin with the first page.')
}

function fits (part: unknown, shape: CursorPart | undefined): boolean {
  if (shape === 'smallint' || shape === 'integer' || shape === 'bigint') return /^\d{1,19}$/.test(String(part)) && BigInt(String(part)) <= GREATEST[shape]
  if (typeof part !== 'string' || part.includes('\u0000')) return false
  return shape === 'text' || parseInstant(part) === part as Instant
}

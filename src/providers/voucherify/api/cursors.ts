import { parseInstant, type Instant } from '../../../ledger/instant.ts'
import { earlier, newestOf, timeOf, type ListedObject } from './pages.ts'

// Where the reading of a list goes on, as the text that is kept. A text that cannot be read is a new beginning.

/** Of a list in the order of its ids. */
export interface AfterId { after: string }

export function readAfterId (cursor: string | undefined): string | undefined {
  const after = parsed(cursor).after
  return typeof after === 'string' ? after : undefined
}

/** Of lists in the order of their times: objects created, and objects changed, after these times. */
export interface AfterTimes { created_at: Instant | null, updated_at: Instant | null }

export function readAfterTimes (cursor: string | undefined): AfterTimes {
  const { created_at, updated_at } = parsed(cursor)
  return { created_at: instantOrNull(created_at), updated_at: instantOrNull(updated_at) }
}

function instantOrNull (value: unknown): Instant | null {
  return typeof value === 'string' ? parseInstant(value) ?? null : null
}

function parsed (cursor: string | undefined): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(cursor ?? '{}')
    return typeof value === 'object' && value !== null ? value as Record<string, unknown> : {}
  } catch {
    return {}
  }
}

/**
 * A row can be committed after another one with a larger id. So the next run reads the end of the list again: at least
 * this many rows, which costs no call more, and the rows of this long before the newest one.
 */
const OVERLAP_ROWS = 100
const OVERLAP_MS = 15 * 60_000

/** Follows the rows of a list, and says after which id the next run reads on. */
export function followRows (from: string | undefined): (objects: readonly ListedObject[]) => string | undefined {
  let resume = from
  let recent: ListedObject[] = []
  return objects => {
    recent.push(...objects)
    const settled = earlier(newestOf(recent, 'created_at'), OVERLAP_MS)
    const old = recent.slice(0, -OVERLAP_ROWS).findLastIndex(one => settled !== undefined && (timeOf(one, 'created_at') ?? '') < settled)
    if (old >= 0) {
      resume = recent[old]?.json.id as string
      recent = recent.slice(old + 1)
    }
    return resume
  }
}

/** An object can become visible after one with a later time. */
export const SETTLED_AFTER_MS = 60_000

import { Type } from '@sinclair/typebox'
import { parseInstant, type Instant } from '../../../ledger/instant.ts'
import { isUsableId, MAX_KEY_BYTES, naturalKey } from '../wire/ids.ts'
import { canonicalStorable, storableText, type Json } from '../wire/json.ts'
import { maybe, UnreadablePayload } from './decoder.ts'

/** An object of which only the id matters. */
export const Ref = Type.Object({ id: maybe(Type.String()) })

/** An id that identity or the fold need. */
export function requiredId (value: unknown, field: string): string {
  if (isUsableId(value)) return value
  throw new UnreadablePayload(`data.${field}: an id is needed here: text of 1 to 256 bytes without control characters`)
}

/** An id that may be missing. One that is there but cannot be stored is refused, not dropped. */
export function optionalId (value: unknown, field: string): string | null {
  return value === null || value === undefined || value === '' ? null : requiredId(value, field)
}

/** The first of several times that is there. One that is there but cannot be read is refused. */
export function requiredInstant (field: string, ...candidates: unknown[]): Instant {
  for (const candidate of candidates) {
    if (candidate === null || candidate === undefined) continue
    const instant = typeof candidate === 'string' ? parseInstant(candidate) : undefined
    if (instant === undefined) throw new UnreadablePayload(`${field}: not an RFC 3339 timestamp`)
    return instant
  }
  throw new UnreadablePayload(`${field}: a timestamp is needed here`)
}

/** The time of an event that states no movement, which may lack one. */
export function optionalInstant (field: string, ...candidates: unknown[]): Instant | null {
  return candidates.every(candidate => candidate === null || candidate === undefined) ? null : requiredInstant(field, ...candidates)
}

/** The key of a movement. @throws UnreadablePayload when the ids together are longer than an index can hold */
export function movementKey (entity: string, ...ids: string[]): string {
  const key = naturalKey(entity, ...ids)
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) throw new UnreadablePayload(`the ids that name the ${entity} are too long for one key`)
  return key
}

/** Two sends may write one moment with three digits and with six. */
export function toMilliseconds (instant: Instant): string {
  return instant.slice(0, 23)
}

/** A text that describes: null is a value; anything else but a text counts as absent. */
export function textIn (value: unknown): string | null | undefined {
  return typeof value === 'string' ? storableText(value) : value === null ? null : undefined
}

export function optionalText (value: string | null | undefined): string | null {
  return value === null || value === undefined ? null : storableText(value)
}

/**
 * A day in the project's time zone, of a field that is a date or begins with one; null where the calendar has no such
 * day.
 */
export function dayOf (date: unknown): string | null {
  const day = typeof date === 'string' ? /^(?!0000)\d{4}-\d{2}-\d{2}/.exec(date)?.[0] : undefined
  if (day === undefined) return null
  const midnight = new Date(`${day}T00:00:00Z`)
  return !Number.isNaN(midnight.getTime()) && midnight.toISOString().startsWith(day) ? day : null
}

/** What else explains a movement, as JSON text with sorted keys; members without a value are left out. */
export function details (members: Record<string, unknown>): string | null {
  const observed = Object.entries(members).filter(([, value]) => value !== null && value !== undefined)
  return observed.length === 0 ? null : jsonText(Object.fromEntries(observed))
}

/** JSON text with sorted keys, as PostgreSQL can hold it. */
export function jsonText (value: unknown): string | null {
  if (value === null || value === undefined) return null
  const text = canonicalStorable(value as Json)
  // V8 keeps a concatenated string as a tree of its pieces, all of them in memory, until a character is read.
  text.charCodeAt(0)
  return text
}

import { Type } from '@sinclair/typebox'
import { parseInstant, type Instant } from '../../../ledger/instant.ts'
import { isUsableId, MAX_KEY_BYTES, naturalKey, storableText } from '../wire/ids.ts'
import { canonicalStorable, type Json } from '../wire/json.ts'
import { maybe, UnreadablePayload } from './decoder.ts'

/** Of an object only its id matters. */
export const Ref = Type.Object({ id: maybe(Type.String()) })

/** An id that identity or the fold cannot do without. */
export function requiredId (value: unknown, field: string): string {
  if (isUsableId(value)) return value
  throw new UnreadablePayload(`data.${field}: an id is needed here: text of 1 to 256 bytes without control characters`)
}

/** An id that may be missing. One that is there and cannot be stored is refused, not dropped. */
export function optionalId (value: unknown, field: string): string | null {
  return value === null || value === undefined || value === '' ? null : requiredId(value, field)
}

/** The first of several times that is there; a time that is there and unreadable is refused. */
export function requiredInstant (field: string, ...candidates: unknown[]): Instant {
  for (const candidate of candidates) {
    if (candidate === null || candidate === undefined) continue
    const instant = typeof candidate === 'string' ? parseInstant(candidate) : undefined
    if (instant === undefined) throw new UnreadablePayload(`${field}: not an RFC 3339 timestamp`)
    return instant
  }
  throw new UnreadablePayload(`${field}: a timestamp is needed here`)
}

/** The time of an event that tells no movement: it can do without. */
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

/** A text that describes: null is a value, anything but a text is absent. */
export function textIn (value: unknown): string | null | undefined {
  return typeof value === 'string' ? storableText(value) : value === null ? null : undefined
}

export function optionalText (value: string | null | undefined): string | null {
  return value === null || value === undefined ? null : storableText(value)
}

/** A day in the project's time zone, of a field that is a date or begins with one; null where the calendar has no such day. */
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
  // A text that was added up is a tree of its pieces until somebody looks into it, and all of them are carried along while it is kept.
  text.charCodeAt(0)
  return text
}

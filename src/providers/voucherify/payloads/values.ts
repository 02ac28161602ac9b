import { parseInstant, type Instant } from '../../../ledger/instant.ts'
import { isUsableId, MAX_KEY_BYTES, naturalKey } from '../wire/ids.ts'
import { canonicalStorable, isObject, textOfMember, type Json } from '../wire/json.ts'
import { UnreadablePayload } from './decoder.ts'

/** An id that identity or the fold need. */
export function requiredId (value: unknown, field: string): string {
  if (isUsableId(value)) return value
  throw new UnreadablePayload(`data.${field}: an id is needed here: text of 1 to 256 bytes without control characters`)
}

/** An id that may be missing. One that is there but cannot be stored is refused, not dropped. */
export function optionalId (value: unknown, field: string): string | null {
  return value === null || value === undefined || value === '' ? null : requiredId(value, field)
}

/** The first of several times that can be read. */
export function requiredInstant (field: string, ...candidates: unknown[]): Instant {
  const instant = optionalInstant(...candidates)
  if (instant !== null) return instant
  const stated = candidates.some(candidate => candidate !== null && candidate !== undefined)
  throw new UnreadablePayload(stated ? `${field}: not an RFC 3339 timestamp` : `${field}: a timestamp is needed here`)
}

/** The first of several times that can be read; null where none can. */
export function optionalInstant (...candidates: unknown[]): Instant | null {
  for (const candidate of candidates) {
    const instant = typeof candidate === 'string' ? parseInstant(candidate) ?? parseInstant(candidate.trim()) : undefined
    if (instant !== undefined) return instant
  }
  return null
}

/** The text of the first of several times that can be read, for a derived id. */
export function timeText (...candidates: unknown[]): string | undefined {
  return candidates.find((candidate): candidate is string => optionalInstant(candidate) !== null)
}

/**
 * The id in the first of several places that has one. Something of a wrong kind in one of them is no id; where no other
 * place has one either, it is refused: the movement would go by another id, and count twice.
 */
export function idAmong (field: string, ...places: unknown[]): string | null {
  let unread = false
  for (const place of places) {
    const id = isObject(place) ? place.id : place
    if (isUsableId(id) && isObject(place)) return id
    if (id !== null && id !== undefined && id !== '') unread = true
  }
  if (unread) throw new UnreadablePayload(`data.${field}: an id is needed here: text of 1 to 256 bytes without control characters`)
  return null
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

/** A text that describes, where there is an object that has it: as `textOfMember`. */
export function textIn (object: object | null | undefined, name: string): string | null | undefined {
  return object === null || object === undefined ? undefined : textOfMember(object, name)
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

/**
 * A moment in UTC with microseconds, always written `YYYY-MM-DDTHH:MM:SS.ffffffZ`.
 * The fixed width makes text order equal to time order. A string keeps the microseconds, which a JavaScript Date would
 * drop: the provider mixes three and six fractional digits in one payload.
 */
export type Instant = string & { readonly instant: unique symbol }

const RFC_3339 = /^(\d{4}-\d{2}-\d{2})[Tt ]((?:[01]\d|2[0-3]):[0-5]\d):([0-5]\d|60)(?:[.,](\d+))?([Zz]|[+-]\d{2}(?::?\d{2})?)$/

/**
 * Parses an RFC 3339 timestamp; fractional digits after the sixth are cut off. A leap second, `:60`, is the first
 * second of the next minute, as PostgreSQL reads it.
 * Also parses PostgreSQL's own output (`2024-01-18 15:19:20.676+00`).
 * @returns the moment in UTC, or undefined when the text is not a valid timestamp
 */
export function parseInstant (text: string): Instant | undefined {
  return isPlainUtc(text) ? normalize(text) : parseAny(text)
}

function parseAny (text: string): Instant | undefined {
  const match = RFC_3339.exec(text)
  if (match === null) return undefined
  const [, day = '', time = '', second = '', fraction = '', zone = ''] = match
  const milliseconds = Date.parse(`${day}T${time}:00${rfcZone(zone)}`) + Number(second) * 1000
  if (Number.isNaN(milliseconds) || !dayExists(day)) return undefined
  const utc = new Date(milliseconds).toISOString()
  // A year of more than four digits breaks the fixed width. PostgreSQL has no year 0.
  if (utc.length !== 24 || utc.startsWith('0000')) return undefined
  return `${utc.slice(0, 19)}.${fraction.padEnd(6, '0').slice(0, 6)}Z` as Instant
}

function rfcZone (zone: string): string {
  if (zone === 'Z' || zone === 'z') return 'Z'
  if (zone.length === 3) return `${zone}:00`
  return zone.length === 5 ? `${zone.slice(0, 3)}:${zone.slice(3)}` : zone
}

// Date.parse reads 30 February as 1 March; such a day is refused.
function dayExists (day: string): boolean {
  const parsed = Date.parse(`${day}T00:00:00Z`)
  return !Number.isNaN(parsed) && new Date(parsed).toISOString().startsWith(day)
}

const ZERO = 0x30
const NINE = 0x39
const DASH = 0x2d
const COLON = 0x3a
const SPACE = 0x20
const POINT = 0x2e
const T = 0x54
const Z = 0x5a
/** Days of each month, from index 1, in a year that is not a leap year. */
const DAYS = [0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
/** Indexes of the digits in `YYYY-MM-DDTHH:MM:SS`. */
const DIGITS = [0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18]

/**
 * True for a UTC timestamp in the two forms that the provider and PostgreSQL nearly always write:
 * `2024-01-18T15:19:20.676Z` and `2024-01-18 15:19:20.676+00`.
 * This fast path exists because each event has several times, and `parseAny` takes ten times as long. Uncertain cases
 * return false and take the slow path: 29 February, and years before 1000.
 */
function isPlainUtc (text: string): boolean {
  const end = text.charCodeAt(text.length - 1) === Z ? text.length - 1 : text.endsWith('+00') ? text.length - 3 : 0
  if (end < 19 || end === 20 || end > 29) return false
  for (const index of DIGITS) if (!isDigit(text.charCodeAt(index))) return false
  for (let index = 20; index < end; index++) if (!isDigit(text.charCodeAt(index))) return false
  const separator = text.charCodeAt(10)
  return text.charCodeAt(4) === DASH && text.charCodeAt(7) === DASH && (separator === T || separator === SPACE) &&
    text.charCodeAt(13) === COLON && text.charCodeAt(16) === COLON && (end === 19 || text.charCodeAt(19) === POINT) &&
    text.charCodeAt(0) !== ZERO && within(text, 8, 1, DAYS[twoDigits(text, 5)] ?? 0) &&
    within(text, 11, 0, 23) && within(text, 14, 0, 59) && within(text, 17, 0, 59)
}

function isDigit (code: number): boolean {
  return code >= ZERO && code <= NINE
}

function twoDigits (text: string, index: number): number {
  return (text.charCodeAt(index) - ZERO) * 10 + text.charCodeAt(index + 1) - ZERO
}

function within (text: string, index: number, least: number, most: number): boolean {
  const value = twoDigits(text, index)
  return value >= least && value <= most
}

function normalize (text: string): Instant {
  const zone = text.charCodeAt(text.length - 1) === Z ? 1 : 3
  const fraction = text.slice(20, text.length - zone)
  return `${text.slice(0, 10)}T${text.slice(11, 19)}.${fraction.length === 6 ? fraction : fraction.padEnd(6, '0').slice(0, 6)}Z` as Instant
}

/** The later of two times; null is none. */
export function later (a: Instant | null, b: Instant | null): Instant | null {
  return a === null || (b !== null && b > a) ? b : a
}

/**
 * A moment in UTC with microseconds, always written `YYYY-MM-DDTHH:MM:SS.ffffffZ`.
 * A fixed width makes text order equal to time order, and a string keeps the microseconds that a
 * JavaScript Date would round away: the provider mixes three and six fractional digits in one payload.
 */
export type Instant = string & { readonly instant: unique symbol }

/** How the provider writes, and we: with a date that exists in every month, it needs no calendar. */
const PLAIN = /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?Z$/

const RFC_3339 = /^(\d{4}-\d{2}-\d{2})[Tt ]((?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)(?:[.,](\d{1,9}))?([Zz]|[+-]\d{2}(?::?\d{2})?)$/

/**
 * Reads an RFC 3339 timestamp, with any number of fractional digits up to nine (those past the sixth are cut).
 * Also reads PostgreSQL's own output (`2024-01-18 15:19:20.676+00`).
 * @returns the moment in UTC, or undefined when the text is not a timestamp that exists
 */
export function parseInstant (text: string): Instant | undefined {
  if (PLAIN.test(text) && !text.startsWith('0000')) return `${text.slice(0, 19)}.${text.slice(20, -1).padEnd(6, '0').slice(0, 6)}Z` as Instant
  const match = RFC_3339.exec(text)
  if (match === null) return undefined
  const [, day = '', time = '', fraction = '', zone = ''] = match
  const milliseconds = Date.parse(`${day}T${time}${rfcZone(zone)}`)
  if (Number.isNaN(milliseconds) || !dayExists(day)) return undefined
  const utc = new Date(milliseconds).toISOString()
  // Beyond four digits the width breaks; a year 0 PostgreSQL does not know.
  if (utc.length !== 24 || utc.startsWith('0000')) return undefined
  return `${utc.slice(0, 19)}.${fraction.padEnd(6, '0').slice(0, 6)}Z` as Instant
}

function rfcZone (zone: string): string {
  if (zone === 'Z' || zone === 'z') return 'Z'
  if (zone.length === 3) return `${zone}:00`
  return zone.length === 5 ? `${zone.slice(0, 3)}:${zone.slice(3)}` : zone
}

// Date.parse reads 30 February as 1 March: a day that does not exist is not a time.
function dayExists (day: string): boolean {
  const parsed = Date.parse(`${day}T00:00:00Z`)
  return !Number.isNaN(parsed) && new Date(parsed).toISOString().startsWith(day)
}

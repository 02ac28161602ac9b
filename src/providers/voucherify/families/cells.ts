import { parseInstant } from '../../../ledger/instant.ts'
import { exactInteger, maybe, reader, UnreadablePayload } from '../payloads/decoder.ts'

/** Cells of the provider's CSV exports. An empty one states nothing. */

const readNumber = reader(maybe(exactInteger()))

export function orNull (cell: string | undefined): string | null {
  return cell === undefined || cell === '' ? null : cell
}

/** For what only describes: an empty cell is no null. */
export function orAbsent (cell: string | undefined): string | undefined {
  return orNull(cell) ?? undefined
}

export function wholeNumber (cell: string | undefined, column: string): number | null {
  const text = cell?.trim() ?? ''
  if (text === '') return null
  if (!/^[-+]?\d+$/.test(text)) throw new UnreadablePayload(`data.row.${column}: ${JSON.stringify(text.slice(0, 40))} is not a whole number`)
  return readNumber(Number(text)) ?? null
}

/** The JSON object in a cell; empty where the cell is. */
export function objectIn (cell: string | undefined, column: string): object {
  if (cell === undefined || cell.trim() === '') return {}
  try {
    const parsed: unknown = JSON.parse(cell)
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed
    if (parsed === null) return {}
  } catch { /* said below */ }
  throw new UnreadablePayload(`data.row.${column}: a JSON object is needed in this cell, or nothing`)
}

/** Exports write times in UTC, with or without naming it: `2024-01-18 15:19:20.676`, `… UTC`, or RFC 3339. */
export function utc (cell: string): string {
  const text = cell.trim().replace(/ ?UTC$/, 'Z')
  return /(?:[Zz]|[+-]\d{2}:?\d{2})$/.test(text) ? text : `${text}Z`
}

export function utcOrNull (cell: string | undefined): string | null {
  const text = cell?.trim() ?? ''
  return text === '' ? null : utc(text)
}

export function isToTheSecond (cell: string | undefined): boolean {
  return !/\.\d/.test(cell ?? '')
}

/**
 * The last moment that a time can mean: one that was cut to the second means any moment of it. What is shown as of a
 * last change holds until the next one, so the last moment is right, and the first can be before the change.
 */
export function endOfSecond (time: string | null): string | null {
  if (time === null || !isToTheSecond(time)) return time
  const instant = parseInstant(time)
  return instant === undefined ? time : instant.replace('.000000Z', '.999999Z')
}

import { isUtf8 } from 'node:buffer'
import type { RedactionExtent } from '../providers/provider.ts'
import type { Kept, RedactedRow } from './erasure.sql.ts'
import type { Search, Sent } from './search.ts'

/** In place of a text that named the customer. */
const GONE = 'erased: it named a customer'

/**
 * Does a row hold anything of the customer? Also where it is not JSON, and where JSON spells an address with escapes.
 */
export function concernsRow (search: Search, row: Kept): boolean {
  const sent = { provider: row.provider, body: row.body.toString('utf8') }
  return search.concerns(sent) || search.concerns({ ...sent, body: unescaped(sent.body) }) || (namesThem(search, sent) && !isJson(search, row)) || search.matcher().namedIn(row.detail)
}

/**
 * A row without what is personal: JSON is redacted as a stored body is; of anything else nobody knows which part is
 * personal, so only its size is kept. Remarks of people and parsers about the row go where they name the customer.
 * @returns undefined when nothing is to be erased
 */
export function redactRow (search: Search, row: Kept, extent: RedactionExtent): RedactedRow | undefined {
  if (!concernsRow(search, row)) return undefined
  const matcher = search.matcher()
  const text = row.body.toString('utf8')
  const redacted = isUtf8(row.body) ? search.redact({ provider: row.provider, body: text }, extent) : undefined
  const body = redacted ?? `erased: ${row.body.length} bytes stood here that named a customer`
  const detail = redacted === undefined || matcher.namedIn(row.detail) ? GONE : row.detail
  const discard_reason = row.discard_reason !== null && matcher.hintedIn(row.discard_reason) ? GONE : row.discard_reason
  const same = redacted === text && detail === row.detail && discard_reason === row.discard_reason
  return same ? undefined : { quarantine_id: row.quarantine_id, body, detail, discard_reason }
}

function namesThem (search: Search, { provider, body }: Sent): boolean {
  return (search.mayName(provider) && body.includes(search.sent_id)) || search.matcher().namedIn(body) || search.matcher().namedIn(unescaped(body))
}

function isJson (search: Search, { provider, body }: Kept): boolean {
  return isUtf8(body) && search.redact({ provider, body: body.toString('utf8') }, 'mentions') !== undefined
}

function unescaped (text: string): string {
  return text.replace(/\\u([0-9a-fA-F]{4})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
}

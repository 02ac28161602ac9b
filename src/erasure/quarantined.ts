import { isUtf8 } from 'node:buffer'
import { redact, type Extent } from '../providers/voucherify/privacy/redaction.ts'
import { treeOf } from '../providers/voucherify/privacy/json-tree.ts'
import type { Kept, RedactedRow } from './erasure.sql.ts'
import type { Search } from './search.ts'

/** In place of a text that named the customer. */
const GONE = 'erased: it named a customer'

/** Does a row hold anything of the customer? Also where it is no JSON, and where JSON spells an address with escapes. */
export function concernsRow (search: Search, row: Kept): boolean {
  const text = row.body.toString('utf8')
  return search.concerns(text) || search.concerns(unescaped(text)) || (!isJson(row.body) && namesThem(search, text)) || search.known().namedIn(row.detail)
}

/**
 * A row without what is personal: JSON is redacted as a stored body would be; of anything else nobody can say what in it is, so
 * only its size is kept. What people and parsers said of the row goes where it names the customer.
 * @returns undefined where nothing is to be done
 */
export function redactRow (search: Search, row: Kept, extent: Extent): RedactedRow | undefined {
  if (!concernsRow(search, row)) return undefined
  const known = search.known()
  const text = row.body.toString('utf8')
  const redacted = isUtf8(row.body) ? redact(text, { customer_id: search.customer_id, known }, extent) : undefined
  const body = redacted ?? `erased: ${row.body.length} bytes stood here that named a customer`
  const detail = redacted === undefined || known.namedIn(row.detail) ? GONE : row.detail
  const discard_reason = row.discard_reason !== null && known.hintedIn(row.discard_reason) ? GONE : row.discard_reason
  const same = redacted === text && detail === row.detail && discard_reason === row.discard_reason
  return same ? undefined : { quarantine_id: row.quarantine_id, body, detail, discard_reason }
}

function namesThem (search: Search, text: string): boolean {
  return text.includes(search.customer_id) || search.known().namedIn(text) || search.known().namedIn(unescaped(text))
}

function isJson (body: Buffer): boolean {
  return isUtf8(body) && treeOf(body.toString('utf8')) !== undefined
}

function unescaped (text: string): string {
  return text.replace(/\\u([0-9a-fA-F]{4})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
}

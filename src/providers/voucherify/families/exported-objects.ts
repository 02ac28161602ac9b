import type { ExpirationObservation } from '../../../ledger/facts.ts'
import type { Envelope } from '../wire/envelope.ts'
import { isObject, type JsonObject } from '../wire/json.ts'
import { exact, UnreadablePayload } from '../payloads/decoder.ts'
import { dayOf, optionalId, requiredId, requiredInstant } from '../payloads/values.ts'
import { endOfSecond, objectIn, orAbsent, orNull, utcOrNull, wholeNumber } from './cells.ts'
import type { Family, Reading } from './family.ts'
import { cardObject, customerObject, orderObject, versioned, type ObjectReading } from './objects.ts'

/** Metadata in columns of their own, as text, by name. */
type Row = Record<string, string | undefined> & { metadata?: string | JsonObject }

const tables = new Map<unknown, { type: string, read: (row: Row, as_of: unknown) => ObjectReading }>([
  ['vouchers', { type: 'export.card', read: row => cardObject(cardOf(row)) }],
  ['orders', { type: 'export.order', read: row => orderObject(orderOf(row)) }],
  ['customers', { type: 'export.customer', read: row => customerObject(customerOf(row)) }],
  ['points_expiration', { type: 'export.expiration', read: bucketOf }]
])

/**
 * A row of the provider's exports of vouchers, orders and customers: the same as an object of its API, in cells. Body:
 * `{ export: 'vouchers', row: { … } }`, the cells as they are in the file. A row of points that expire has no time:
 * beside it stands `as_of`, when the file was written.
 */
export const exportedObject: Family = {
  types: [],
  recognises: data => isObject(data.row) && tables.has(data.export),
  read
}

function read ({ data }: Envelope): Reading {
  const table = tables.get(data.export)
  if (table === undefined || !isObject(data.row)) throw new UnreadablePayload('data.row: the cells of a row are needed here')
  const { version, ...reading } = table.read(rowOf(data.row), data.as_of)
  return { ...reading, bare: { event_id: `export:${reading.subject}${version}`, type: table.type } }
}

function rowOf (cells: JsonObject): Row {
  for (const [column, cell] of Object.entries(cells)) {
    if (typeof cell !== 'string' && !(column === 'metadata' && isObject(cell))) throw new UnreadablePayload(`data.row.${column}: a cell is text`)
  }
  return cells as Row
}

/** The state is as of the last change, which a time that was cut to the second means the end of. */
function cardOf (row: Row): JsonObject {
  const balance = wholeNumber(row.loyalty_balance, 'loyalty_balance')
  const holder_id = orNull(row.customer_id)
  return {
    id: row.id,
    code: orAbsent(row.code),
    type: row.voucher_type === undefined || row.voucher_type === '' ? balance === null ? null : 'LOYALTY_CARD' : row.voucher_type.trim().toUpperCase().replaceAll(' ', '_'),
    campaign: orAbsent(row.campaign),
    campaign_id: orAbsent(row.campaign_id),
    active: ACTIVE[row.active?.trim().toLowerCase() ?? ''],
    loyalty_card: balance === null ? {} : { balance },
    // Without the column nothing says whether somebody holds it.
    holder_id: row.customer_id === undefined ? undefined : holder_id,
    holder: holder_id === null ? null : { id: holder_id, source_id: orAbsent(row.customer_source_id) },
    created_at: endOfSecond(utcOrNull(row.created_at)),
    updated_at: endOfSecond(utcOrNull(row.updated_at))
  }
}

const ACTIVE: Record<string, boolean | undefined> = { true: true, false: false, yes: true, no: false }

function orderOf (row: Row): JsonObject {
  const amount = (column: string): number | null => wholeNumber(row[column], column)
  return {
    id: row.id,
    source_id: orNull(row.source_id),
    status: row.status?.trim().toUpperCase(),
    amount: amount('amount'),
    initial_amount: amount('initial_amount'),
    discount_amount: amount('discount_amount'),
    items_discount_amount: amount('items_discount_amount'),
    total_discount_amount: amount('total_discount_amount'),
    total_amount: amount('total_amount'),
    metadata: metadataOf(row),
    customer_id: orNull(row.customer_id),
    created_at: utcOrNull(row.created_at),
    updated_at: utcOrNull(row.updated_at)
  }
}

function customerOf (row: Row): JsonObject {
  return {
    id: row.id,
    source_id: orAbsent(row.source_id),
    name: orAbsent(row.name),
    email: orAbsent(row.email),
    metadata: metadataOf(row),
    created_at: utcOrNull(row.created_at),
    updated_at: utcOrNull(row.updated_at)
  }
}

function metadataOf ({ metadata }: Row): JsonObject | undefined {
  const members = isObject(metadata) ? metadata : objectIn(metadata, 'metadata') as JsonObject
  return Object.keys(members).length === 0 ? undefined : members
}

/** A bucket of points that expire together. */
function bucketOf (row: Row, as_of: unknown): ObjectReading {
  const bucket_id = requiredId(row.id, 'row.id')
  const occurred_at = requiredInstant('data.as_of', as_of)
  const observation: ExpirationObservation = {
    fact: 'expiration',
    bucket_id,
    card_id: requiredId(row.voucher_id, 'row.voucher_id'),
    campaign_id: optionalId(row.campaign_id, 'row.campaign_id'),
    status: requiredId(row.status?.trim().toUpperCase(), 'row.status'),
    points: exact(wholeNumber(row.points, 'points')),
    expires_on: dayOf(row.expires_at?.trim()),
    occurred_at
  }
  const { card_id, status, points, expires_on } = observation
  return versioned('bucket', bucket_id, occurred_at, { customer_id: null, facts: [observation], core: { card: card_id, status, points, expires_on } })
}

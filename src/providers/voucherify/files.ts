import type { FileRow, FileTable, ProviderFiles, UnusedTable } from '../provider.ts'
import { isToTheSecond } from './families/cells.ts'
import { EXPORTED_TYPE, TRANSACTIONS } from './families/exported.ts'
import { pulledBody, PULLED_KINDS, type PulledKind } from './families/pulled.ts'
import { isObject, type JsonObject } from './wire/json.ts'

const ALL_FIELDS = 'Export them with all fields: the exports of the dashboard and of the API leave most out unless they are named.'

/**
 * The export of card or campaign transactions. Without `details` the row of an award or a spend cannot be matched to
 * its event.
 */
const transactions: FileTable = {
  name: 'card transactions',
  signature: ['voucher_id', 'type', 'amount'],
  required_columns: ['id', 'voucher_id', 'type', 'amount', 'created_at', 'details'],
  wanted_columns: { balance: 'Where the cells of details do not repeat it, a movement that was missed does not show at the next one.' },
  how_to_export: 'Export them from the card or the campaign as CSV, with all columns.',
  bodyOf: row => bodyOf(TRANSACTIONS, row),
  isToTheSecond: ({ created_at }) => isToTheSecond(created_at)
}

const vouchers: FileTable = {
  name: 'vouchers',
  signature: ['code', 'voucher_type'],
  required_columns: ['id', 'code', 'loyalty_balance', 'updated_at'],
  wanted_columns: {
    created_at: 'A card that never changed has no time, and cannot be read.',
    customer_id: 'Nothing says whose the cards are.'
  },
  how_to_export: ALL_FIELDS,
  bodyOf: row => bodyOf('vouchers', row),
  // The state holds until the end of that second, so nothing is lost.
  isToTheSecond: () => false
}

const orders: FileTable = {
  name: 'orders',
  signature: ['id', 'source_id', 'status'],
  required_columns: ['id', 'status', 'amount', 'created_at', 'updated_at'],
  wanted_columns: { total_amount: 'What was paid is not known.', customer_id: 'Nothing says whose the orders are.' },
  how_to_export: ALL_FIELDS,
  bodyOf: row => bodyOf('orders', row),
  isToTheSecond: () => false
}

const customers: FileTable = {
  name: 'customers',
  signature: ['name', 'source_id'],
  required_columns: ['id', 'source_id', 'created_at', 'updated_at'],
  wanted_columns: {},
  how_to_export: ALL_FIELDS,
  bodyOf: row => bodyOf('customers', row),
  isToTheSecond: () => false
}

const NAMES: Record<PulledKind, string> = {
  transaction: 'card transactions', card: 'vouchers', order: 'orders', customer: 'customers', pending_points: 'pending points'
}

/** Says what expires when. Its rows have no time: they are as of when the file was written. */
const expirations: FileTable = {
  name: 'points that expire',
  signature: ['voucher_id', 'expires_at', 'points'],
  required_columns: ['id', 'voucher_id', 'status', 'expires_at', 'points'],
  wanted_columns: {},
  how_to_export: ALL_FIELDS,
  bodyOf: (row, { written_at }) => Buffer.from(JSON.stringify({ export: 'points_expiration', as_of: written_at, row })),
  isToTheSecond: () => false
}

const unused: UnusedTable[] = [
  {
    name: 'redemptions',
    signature: ['voucher_code', 'date', 'result'],
    instead: 'It does not say which card moved by how many points. Every spend and every refund is a row of the export of card transactions: import that.'
  },
  {
    name: 'publications',
    signature: ['customer_id', 'channel', 'date'],
    instead: 'Who holds which card is in the export of vouchers: import that.'
  },
  { name: 'products', signature: ['name', 'price', 'image_url'], instead: 'The ledger keeps no products.' },
  { name: 'SKUs', signature: ['product_id', 'sku', 'price'], instead: 'The ledger keeps no products.' }
]

/** The exports of the dashboard and of the API (CSV), and what the API returns (JSON). */
export const files: ProviderFiles = {
  tables: [transactions, expirations, orders, vouchers, customers],
  unused_tables: unused,
  bodyOfObject,
  kinds: new Map([
    [EXPORTED_TYPE, 'card transactions'],
    ['export.card', 'vouchers'],
    ['export.order', 'orders'],
    ['export.customer', 'customers'],
    ['export.expiration', 'points that expire'],
    ...PULLED_KINDS.map((kind): [string, string] => [`pulled.${kind}`, NAMES[kind]])
  ]),
  movement_types: new Set([EXPORTED_TYPE, 'pulled.transaction'])
}

/** Columns of metadata become one member: it is personal as a whole. */
function bodyOf (table: string, row: FileRow): Buffer {
  const cells: Record<string, string> = {}
  const metadata: Record<string, string> = {}
  for (const [column, cell] of Object.entries(row)) {
    const name = /^metadata\.(.+)$/s.exec(column)?.[1]
    if (name === undefined) cells[column] = cell
    else if (cell !== '') metadata[name] = cell
  }
  return Buffer.from(JSON.stringify({ export: table, row: Object.keys(metadata).length === 0 ? cells : { ...cells, metadata } }))
}

function bodyOfObject (text: string): Buffer | undefined {
  const object = parsed(text)
  const kind = object === undefined ? undefined : kindOf(object)
  return kind === undefined ? undefined : pulledBody(kind, text)
}

function parsed (text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** By the name that an object gives itself, else by members that no delivery has at that place. */
function kindOf (object: JsonObject): PulledKind | undefined {
  if (typeof object.id !== 'string' || 'event' in object) return undefined
  if (object.object === 'voucher') return 'card'
  if (object.object === 'order' || object.object === 'customer') return object.object
  if (typeof object.voucher_id !== 'string') return undefined
  if ('activates_at' in object) return 'pending_points'
  return typeof object.type === 'string' && 'created_at' in object ? 'transaction' : undefined
}

import { Type, type Static } from '@sinclair/typebox'
import { SOURCE_RANK } from '../../../ledger/facts.ts'
import type { TransactionExport } from '../../provider.ts'
import type { Envelope } from '../wire/envelope.ts'
import { naturalKey } from '../wire/ids.ts'
import { isObject } from '../wire/json.ts'
import { Transaction } from '../payloads/transaction.ts'
import { exactInteger, maybe, reader, UnreadablePayload } from '../payloads/decoder.ts'
import type { Family, Reading } from './family.ts'
import { readingOfRowAlone } from './row-reading.ts'

/** The body of a row: `{ export: 'transactions', row: { … } }`, its cells as they are in the file. */
const EXPORT = 'transactions'
const EXPORTED_TYPE = 'export.transaction'

/**
 * The export of card or campaign transactions. Without `details` the row of an award or a spend cannot be matched to
 * its event.
 */
export const transactionExport: TransactionExport = {
  required_columns: ['id', 'voucher_id', 'type', 'amount', 'created_at', 'details'],
  how_to_export: 'Export them from the card or the campaign as CSV, with all columns.',
  type: EXPORTED_TYPE,
  bodyOf: row => Buffer.from(JSON.stringify({ export: EXPORT, row })),
  isToTheSecond: row => !/\.\d/.test(row.created_at ?? '')
}

const Cell = Type.Optional(Type.String())
const Cells = Type.Object({
  id: Type.String(),
  voucher_id: Type.String(),
  type: Type.String(),
  amount: Type.String(),
  balance: Cell,
  created_at: Type.String(),
  campaign_id: Cell,
  source_id: Cell,
  reason: Cell,
  source: Cell,
  related_transaction_id: Cell,
  details: Cell
})
const readExported = reader(Type.Object({ export: Type.Literal(EXPORT), row: Cells }))
const readTransaction = reader(Transaction)
const readNumber = reader(maybe(exactInteger()))

/**
 * A row of the provider's transaction export: the same row of its card ledger that `transaction.created` carries, and
 * so the same movement. Its source rank is lower, since an export may cut times to the second.
 */
export const exported: Family = {
  types: [],
  recognises: data => data.export === EXPORT && isObject(data.row),
  read
}

function read ({ data }: Envelope): Reading {
  const { row } = readExported(data)
  const bare = { event_id: naturalKey('export', row.id), type: EXPORTED_TYPE }
  return { bare, ...readingOfRowAlone(rowOf(row), orNull(row.campaign_id), SOURCE_RANK.exported) }
}

function rowOf (row: Static<typeof Cells>): Transaction {
  // Of credits only the type is read.
  if (row.type.startsWith('CREDITS_')) return { id: row.id, type: row.type }
  const amount = wholeNumber(row.amount, 'amount')
  if (amount === null) throw new UnreadablePayload('data.row.amount: how many points moved is needed here')
  return readTransaction({
    ...row,
    created_at: utc(row.created_at),
    // The columns are the row; the cell `details` repeats them at best.
    details: { ...detailsOf(row.details), balance: { points: amount, balance: wholeNumber(row.balance, 'balance') } },
    reason: orNull(row.reason),
    source: orNull(row.source),
    source_id: orNull(row.source_id),
    related_transaction_id: orNull(row.related_transaction_id)
  })
}

/** An empty cell states nothing. */
function orNull (cell: string | undefined): string | null {
  return cell === undefined || cell === '' ? null : cell
}

function wholeNumber (cell: string | undefined, column: string): number | null {
  const text = cell?.trim() ?? ''
  if (text === '') return null
  if (!/^[-+]?\d+$/.test(text)) throw new UnreadablePayload(`data.row.${column}: ${JSON.stringify(text.slice(0, 40))} is not a whole number`)
  return readNumber(Number(text)) ?? null
}

function detailsOf (cell: string | undefined): object {
  if (cell === undefined || cell.trim() === '') return {}
  try {
    const parsed: unknown = JSON.parse(cell)
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed
    if (parsed === null) return {}
  } catch { /* said below */ }
  throw new UnreadablePayload('data.row.details: a JSON object is needed in this cell, or nothing')
}

/** Exports write times in UTC, with or without naming it: `2024-01-18 15:19:20.676`, `… UTC`, or RFC 3339. */
function utc (cell: string): string {
  const text = cell.trim().replace(/ ?UTC$/, 'Z')
  return /(?:[Zz]|[+-]\d{2}:?\d{2})$/.test(text) ? text : `${text}Z`
}

import { instant } from './clock.ts'
import type { GiftRow, World, Row } from './model.ts'
import { transactionObject } from './payloads/transaction.ts'

const COLUMNS = [
  'id', 'campaign_id', 'voucher_id', 'type', 'source_id', 'reason', 'source', 'balance', 'amount', 'related_transaction_id', 'created_at', 'details'
] as const
type Cells = Record<typeof COLUMNS[number], string>

/**
 * The transaction export that the provider would make: every row of every card, sent or not, and those of gift cards.
 * Yields lines of CSV, each with its line end.
 */
export function * exportOf ({ cards, gifts }: World): Generator<string> {
  yield line(COLUMNS)
  for (const { rows } of cards) for (const row of rows) yield line(Object.values(cellsOf(row)))
  for (const row of gifts) yield line(Object.values(cellsOfGift(row)))
}

function cellsOf (row: Row): Cells {
  const { details, source, reason, related_transaction_id } = transactionObject(row)
  return {
    id: row.id,
    campaign_id: row.card.campaign.id,
    voucher_id: row.card.id,
    type: row.type,
    source_id: '',
    reason: text(reason),
    source: text(source),
    balance: String(row.card.balance),
    amount: String(row.points),
    related_transaction_id: text(related_transaction_id),
    created_at: instant(row.at),
    details: JSON.stringify(details)
  }
}

function cellsOfGift (row: GiftRow): Cells {
  return {
    id: row.id,
    campaign_id: row.campaign_id,
    voucher_id: row.voucher_id,
    type: row.type,
    source_id: '',
    reason: '',
    source: 'API',
    balance: String(row.balance),
    amount: String(row.amount),
    related_transaction_id: '',
    created_at: instant(row.at),
    details: ''
  }
}

function text (value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function line (cells: readonly string[]): string {
  return `${cells.map(cell => /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell).join(',')}\n`
}

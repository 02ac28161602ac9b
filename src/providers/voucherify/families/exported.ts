import { Type, type Static } from '@sinclair/typebox'
import { SOURCE_RANK } from '../../../ledger/facts.ts'
import type { Envelope } from '../wire/envelope.ts'
import { naturalKey } from '../wire/ids.ts'
import { isObject } from '../wire/json.ts'
import { Transaction } from '../payloads/transaction.ts'
import { reader, UnreadablePayload } from '../payloads/decoder.ts'
import { objectIn, orNull, utc, wholeNumber } from './cells.ts'
import type { Family, Reading } from './family.ts'
import { readingOfRowAlone } from './row-reading.ts'

/** The body of a row is `{ export: 'transactions', row: { … } }`, its cells as they are in the file. */
export const TRANSACTIONS = 'transactions'
export const EXPORTED_TYPE = 'export.transaction'

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
const readExported = reader(Type.Object({ export: Type.Literal(TRANSACTIONS), row: Cells }))
const readTransaction = reader(Transaction)

/**
 * A row of the provider's transaction export: the same row of its card ledger that `transaction.created` carries, and
 * so the same movement. Its source rank is lower, since an export may cut times to the second.
 */
export const exported: Family = {
  types: [],
  recognises: data => data.export === TRANSACTIONS && isObject(data.row),
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
  const details = objectIn(row.details, 'details')
  return readTransaction({
    ...row,
    created_at: utc(row.created_at),
    // The columns are the row. A file without the balances can have them in `details`.
    details: { ...details, balance: { points: amount, balance: wholeNumber(row.balance, 'balance') ?? balanceIn(details, row.voucher_id, amount) } },
    reason: orNull(row.reason),
    source: orNull(row.source),
    source_id: orNull(row.source_id),
    related_transaction_id: orNull(row.related_transaction_id)
  })
}

/** The balance after a movement that the cell `details` repeats: of the same card and the same points. */
function balanceIn (details: object, card_id: string, points: number): number | null {
  if (!('balance' in details) || !isObject(details.balance)) return null
  const { points: moved, balance, related_object: card } = details.balance
  return moved === points && Number.isSafeInteger(balance) && (!isObject(card) || card.id === card_id) ? balance as number : null
}

import { Type } from '@sinclair/typebox'
import { reader } from '../payloads/decoder.ts'
import type { Family } from './family.ts'
import { readingOfRow, rowPayload } from './row-reading.ts'

const TYPE = 'voucher.loyalty_card.transaction.created'

const readTransaction = reader(Type.Object(rowPayload))

/** A row of the provider's own card ledger, of any of its nine types: the highest source rank of a movement. */
export const transaction: Family = {
  types: [TYPE],
  // Only project webhooks send it, and those have an envelope.
  recognises: () => false,
  read: envelope => readingOfRow(envelope, readTransaction(envelope.data), { type: TYPE })
}

import { Type } from '@sinclair/typebox'
import { isObject } from '../wire/json.ts'
import { reader } from '../payloads/decoder.ts'
import type { Family } from './family.ts'
import { readingOfRow, rowPayload } from './row-reading.ts'

const readAdjustment = reader(Type.Object(rowPayload))

/** Points added or, with a negative sign, removed by hand. */
export const adjustment: Family = {
  types: ['voucher.loyalty_card.points_added', 'customer.voucher.loyalty_card.points_added'],
  recognises: data => isObject(data.transaction) && isObject(data.balance) && !isObject(data.pending_points) && !('buckets' in data),
  read: envelope => readingOfRow(envelope, readAdjustment(envelope.data), {
    type: 'customer.voucher.loyalty_card.points_added', kind: 'adjustment'
  })
}

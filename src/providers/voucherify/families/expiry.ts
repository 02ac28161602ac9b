import { Type } from '@sinclair/typebox'
import { isObject } from '../wire/json.ts'
import { exactInteger, maybe, reader } from '../payloads/decoder.ts'
import type { Family } from './family.ts'
import { readingOfRow, rowPayload } from './row-reading.ts'

const readExpiry = reader(Type.Object({ ...rowPayload, points: maybe(exactInteger()), buckets: Type.Optional(Type.Unknown()) }))

/** Points that expired, and the buckets that they were in. */
export const expiry: Family = {
  types: ['voucher.loyalty_card.points_expired', 'customer.voucher.loyalty_card.points_expired'],
  recognises: data => isObject(data.transaction) && 'buckets' in data,
  read (envelope) {
    const data = readExpiry(envelope.data)
    // The payload's own `points` is positive, the row's negative. It counts only where the row states none.
    const points = typeof data.points === 'number' ? -Math.abs(data.points) : null
    return readingOfRow(envelope, { ...data, balance: { ...data.balance, points: data.balance?.points ?? points } }, {
      type: 'customer.voucher.loyalty_card.points_expired',
      kind: 'expiration',
      also: { buckets: bucketsOf(data.buckets) }
    })
  }
}

interface Bucket { bucket_id: unknown, points: unknown, expires_on: unknown }

/** The provider sends a list to distributions and, by its schema, a single bucket to webhooks. */
function bucketsOf (observed: unknown): Bucket[] | null {
  const buckets = (Array.isArray(observed) ? observed as unknown[] : [observed]).filter(isObject)
  if (buckets.length === 0) return null
  return buckets.map(({ id, bucket, expires_at }) => ({ bucket_id: id, points: isObject(bucket) ? bucket.total_points : null, expires_on: expires_at }))
}

import { Type } from '@sinclair/typebox'
import { isObject } from '../json.ts'
import { reader, type Family } from './family.ts'
import { readingOfRow, rowPayload } from './row-reading.ts'

// The payload's own `points` is positive while the row's is negative: only the row is read.
const readExpiry = reader(Type.Object({ ...rowPayload, buckets: Type.Optional(Type.Unknown()) }))

/** Points that expired, with the buckets they expired from. */
export const expiry: Family = {
  types: ['voucher.loyalty_card.points_expired', 'customer.voucher.loyalty_card.points_expired'],
  recognises: data => isObject(data.transaction) && 'buckets' in data,
  read (envelope) {
    const data = readExpiry(envelope.data)
    return readingOfRow(envelope, data, 'customer.voucher.loyalty_card.points_expired', { buckets: bucketsOf(data.buckets) })
  }
}

interface Bucket { bucket_id: unknown, points: unknown, expires_on: unknown }

/** The provider sends a list to distributions and, by its schema, a single one to webhooks. */
function bucketsOf (told: unknown): Bucket[] | null {
  const buckets = (Array.isArray(told) ? told as unknown[] : [told]).filter(isObject)
  if (buckets.length === 0) return null
  return buckets.map(({ id, bucket, expires_at }) => ({ bucket_id: id, points: isObject(bucket) ? bucket.total_points : null, expires_on: expires_at }))
}

import { Type } from '@sinclair/typebox'
import { isObject } from '../wire/json.ts'
import { Described, exactInteger, reader, relied } from '../payloads/decoder.ts'
import type { Family } from './family.ts'
import { readingOfRow, rowPayload } from './row-reading.ts'

const readExpiry = reader(Type.Object({ ...rowPayload, points: Described, buckets: Described }))

const readPoints = reader(Type.Object({ points: relied(exactInteger()) }))

/** Points that expired, and the buckets that they were in. */
export const expiry: Family = {
  types: ['voucher.loyalty_card.points_expired', 'customer.voucher.loyalty_card.points_expired'],
  recognises: data => isObject(data.transaction) && 'buckets' in data,
  read (envelope) {
    const data = readExpiry(envelope.data)
    // The payload's own `points` is positive, the row's negative. It counts only where the row states none.
    const balances = [data.transaction.details?.balance, data.balance].filter(isObject)
    const stated = balances.find(({ points }) => points !== null && points !== undefined)
    const balance = stated === undefined ? { ...balances.at(-1), points: negated(readPoints(envelope.data).points) } : data.balance
    return readingOfRow(envelope, { ...data, balance }, {
      type: 'customer.voucher.loyalty_card.points_expired',
      kind: 'expiration',
      also: { buckets: bucketsOf(data.buckets) }
    })
  }
}

function negated (points: number | null | undefined): number | null {
  return points === null || points === undefined ? null : -Math.abs(points)
}

interface Bucket { bucket_id: unknown, points: unknown, expires_on: unknown }

/** The provider sends a list to distributions and, by its schema, a single bucket to webhooks. */
function bucketsOf (observed: unknown): Bucket[] | null {
  const buckets = (Array.isArray(observed) ? observed as unknown[] : [observed]).filter(isObject)
  if (buckets.length === 0) return null
  return buckets.map(({ id, bucket, expires_at }) => ({ bucket_id: id, points: isObject(bucket) ? bucket.total_points : null, expires_on: expires_at }))
}

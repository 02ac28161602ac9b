import { Type } from '@sinclair/typebox'
import type { ExpirationObservation, Fact } from '../../../ledger/facts.ts'
import { firstId } from '../wire/ids.ts'
import { isObject } from '../wire/json.ts'
import { Described, exactInteger, reader, relied } from '../payloads/decoder.ts'
import { dayOf } from '../payloads/values.ts'
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
    const buckets = bucketsOf(data.buckets)
    const reading = readingOfRow(envelope, { ...data, balance }, {
      type: 'customer.voucher.loyalty_card.points_expired',
      kind: 'expiration',
      also: { buckets }
    })
    return { ...reading, facts: [...reading.facts, ...expired(buckets, reading.facts)] }
  }
}

/** Of each bucket that it expired, when the points did. */
function expired (buckets: Bucket[] | null, facts: readonly Fact[]): ExpirationObservation[] {
  const movement = facts.find(fact => fact.fact === 'movement')
  if (movement === undefined) return []
  const { card_id, occurred_at } = movement
  return (buckets ?? []).flatMap(({ bucket_id, points, expires_on }) => {
    const id = firstId(bucket_id)
    if (id === undefined) return []
    const left = Number.isSafeInteger(points) ? BigInt(points as number) : null
    return [{ fact: 'expiration', bucket_id: id, card_id, campaign_id: null, status: 'EXPIRED', points: left, expires_on: dayOf(expires_on), occurred_at } satisfies ExpirationObservation]
  })
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

// A second provider, as small as one can be: it proves that src needs to know nothing more of it. It posts
// `{ "id", "type": "earned" | "spent", "at", "points", "balance", "card", "customer": { "id", "email"? } }`, signs with
// a keyed sha256 in base64, and has neither exports nor earning rules.
import { isUtf8 } from 'node:buffer'
import { createHmac, hash, timingSafeEqual } from 'node:crypto'
import { SOURCE_RANK, type Fact } from '../../../src/ledger/facts.ts'
import { parseInstant, type Instant } from '../../../src/ledger/instant.ts'
import type { IdentifiedDelivery, Provider, Unusable } from '../../../src/providers/provider.ts'

export const TINY_HEADER = 'tiny-signature'

interface Payload { id: string, type: string, at: Instant, points: number, balance: number, card: string, customer: { id: string, email: string | null } }

export const tiny: Provider = {
  name: 'tiny',
  webhook: {
    title: 'Tiny',
    signature_headers: [TINY_HEADER],
    signature: 'the base64 HMAC-SHA256 of the body under the webhook secret',
    body: 'One movement of a card'
  },
  authenticate (body, headers, secrets) {
    const signature = headers[TINY_HEADER]
    if (typeof signature !== 'string') return 'signature_missing'
    const claimed = Buffer.from(signature, 'base64')
    const isSignedWith = (secret: string): boolean => {
      const expected = hmac(body, secret)
      return secret !== '' && claimed.length === expected.length && timingSafeEqual(claimed, expected)
    }
    return secrets.some(isSignedWith) ? 'authentic' : 'signature_invalid'
  },
  sign: (body, secret) => ({ [TINY_HEADER]: hmac(body, secret).toString('base64') }),
  identify,
  factsOf: body => read(body).flatMap(payload => factsOf(payload)),
  coversFacts: (stored, received) => digestOf(stored) === digestOf(received),
  mentionedIds: body => ({ cards: read(body).map(({ card }) => card), orders: [] }),
  differences (stored, received) {
    const [before, after] = [stored, received].map(body => read(body.toString())[0])
    if (before === undefined || after === undefined || before.points === after.points) return undefined
    return { facts: [{ path: 'points', stored: String(before.points), received: String(after.points) }], fields: [], more_fields: 0 }
  },
  recompute: () => ({ why: 'Tiny does not send its rules.' }),
  redact (body, { customer_id, matcher }, extent) {
    try {
      const json = JSON.parse(body) as { customer?: { id?: string, email?: string }, note?: string }
      const isTheirs = customer_id !== null && json.customer?.id === customer_id
      const gone = (isTheirs && extent === 'all') || (json.note !== undefined && matcher.namedIn(json.note))
      if (!gone) return body
      const { customer, note: _, ...kept } = json
      return JSON.stringify({ ...kept, ...(customer === undefined ? {} : { customer: isTheirs ? { id: customer.id } : customer }) })
    } catch {
      return undefined
    }
  },
  identifyingTexts: (body, customer_id) => read(body).flatMap(({ customer }) => customer.id === customer_id && customer.email !== null ? [customer.email] : [])
}

function identify (body: Buffer): IdentifiedDelivery | Unusable {
  if (!isUtf8(body)) return { reason: 'not_utf8', detail: 'the body is not UTF-8' }
  const text = body.toString()
  const [payload] = read(text)
  if (payload === undefined) return { reason: 'unidentified', detail: 'not a movement' }
  return {
    event_id: payload.id,
    subject: `card:${payload.card}`,
    type: payload.type,
    customer_id: payload.customer.id,
    shard_key: payload.customer.id,
    occurred_at: payload.at,
    test: false,
    send_out_id: null,
    sender_kind: 'webhook',
    sender_id: null,
    group_id: null,
    project_id: null,
    channel: null,
    fact_digest: digestOf(text),
    body: text
  }
}

function factsOf ({ id, type, at, points, balance, card, customer }: Payload): Fact[] {
  return [
    {
      fact: 'movement',
      movement_id: `movement:${id}`,
      card_id: card,
      source_rank: SOURCE_RANK.transaction,
      kind: type === 'earned' ? 'accrual' : 'redemption',
      points: BigInt(type === 'earned' ? points : -points),
      reported_balance: BigInt(balance),
      occurred_at: at,
      order_id: null,
      earning_rule_id: null,
      holder_id: customer.id,
      details: null
    },
    { fact: 'card', card_id: card, occurred_at: at, fields: {}, holder_id: customer.id },
    { fact: 'customer', customer_id: customer.id, occurred_at: at, fields: { email: customer.email } }
  ]
}

function digestOf (text: string): string {
  return hash('sha256', JSON.stringify(read(text).map(({ customer, ...payload }) => ({ ...payload, customer: customer.id }))))
}

/** @returns nothing, or the one payload */
function read (text: string): Payload[] {
  try {
    const { id, type, at, points, balance, card, customer } = JSON.parse(text) as Record<string, unknown>
    const { id: customer_id, email } = customer as Record<string, unknown>
    const occurred_at = parseInstant(String(at))
    const isPayload = [id, card, customer_id].every(isId) && Number.isSafeInteger(points) && Number.isSafeInteger(balance) &&
      (type === 'earned' || type === 'spent') && occurred_at !== undefined
    return isPayload ? [{ id, type, at: occurred_at, points, balance, card, customer: { id: customer_id, email: typeof email === 'string' ? email : null } } as Payload] : []
  } catch {
    return []
  }
}

function isId (value: unknown): boolean {
  return typeof value === 'string' && /^[^\p{Cc}]{1,100}$/u.test(value) && value.isWellFormed() && Buffer.byteLength(value) <= 256
}

function hmac (body: Buffer, secret: string): Buffer {
  return createHmac('sha256', secret).update(body).digest()
}

/** A delivery of Tiny's. */
export function tinyMovement (movement: Partial<Record<keyof Payload, unknown>> & { note?: string } = {}) {
  return { id: 'm_1', type: 'earned', at: '2026-01-01T10:00:00.000Z', points: 10, balance: 10, card: 'v_1', customer: { id: 'cust_1', email: 'ada@tiny.example' }, ...movement }
}

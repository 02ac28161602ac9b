import { readFileSync } from 'node:fs'
import { sign } from '../../src/providers/voucherify/wire/signature.ts'

/** What all deliveries of the bench are signed with. */
export const SECRET = 'bench-secret'

const ORIGIN_MS = Date.parse('2026-01-01T00:00:00Z')

/** One delivery, ready to be sent, and what a stored copy of it is known by. */
export interface Delivery {
  event_id: string
  customer_id: string
  card_id: string
  body: Buffer
  /** The whole HTTP request. */
  request: Buffer
}

export interface Made {
  deliveries: Delivery[]
  /** Points that each customer has once every delivery is stored: plain addition, sharing no code with the ledger. */
  balances: Map<string, bigint>
}

export interface MakeOptions {
  count: number
  customers: number
  /** Tells the customers and events of one set from those of another. */
  tag: string
}

/** The provider's own webhook about an award, 3.4 kB, as a mould. */
const mould = JSON.parse(readFileSync(new URL('../../samples/customer.rewarded.loyalty_points.json', import.meta.url), 'utf8')) as Award

interface Award {
  customer: { id: string, source_id: string, name: string }
  holder: { id: string, source_id: string, name: string }
  voucher: { id: string, code: string, holder_id: string }
  balance: { points: number, total: number, balance: number, related_object: { id: string } }
  event: { id: string, created_at: string, entity_id: string }
  order: { id: string, customer_id: string, created_at: string, updated_at: string, customer: { id: string } }
}

/**
 * Awards of real size, signed, each of another event, dealt out to the customers in turn; a customer's balances go up as
 * the provider would report them.
 */
export function makeDeliveries (options: MakeOptions): Made {
  const balances = new Map<string, bigint>()
  const deliveries = Array.from(eachDelivery(options, balances), unsent => ({ ...unsent, request: requestOf(unsent.body) }))
  return { deliveries, balances }
}

/** A delivery that nobody signed yet. */
export type Unsent = Omit<Delivery, 'request'>

/**
 * The same deliveries one after the other, for logs that fit in no memory.
 * @param balances filled as they are made
 */
export function * eachDelivery ({ count, customers, tag }: MakeOptions, balances: Map<string, bigint>): Generator<Unsent> {
  for (let index = 0; index < count; index++) {
    const owner = index % customers
    const customer_id = `cust_${tag}${letters(owner, 24 - tag.length)}`
    const points = 1 + index % 500
    const balance = (balances.get(customer_id) ?? 0n) + BigInt(points)
    balances.set(customer_id, balance)
    const made = award(tag, index, owner, customer_id, points, Number(balance))
    yield { event_id: made.event.id, customer_id, card_id: made.voucher.id, body: Buffer.from(JSON.stringify(made)) }
  }
}

function award (tag: string, index: number, owner: number, customer_id: string, points: number, balance: number): Award {
  const made = structuredClone(mould)
  for (const person of [made.customer, made.holder]) {
    person.id = customer_id
    person.source_id = `${tag}-${owner}`
    person.name = `Customer ${letters(owner, 6)}`
  }
  made.voucher.id = `v_${tag}${letters(owner, 32 - tag.length)}`
  made.voucher.code = letters(owner, 8).toUpperCase()
  made.voucher.holder_id = customer_id
  made.balance.points = points
  made.balance.total = balance
  made.balance.balance = balance
  made.balance.related_object.id = made.voucher.id
  made.event.id = `evcus_${tag}${letters(index + 7_000_000, 18 - tag.length)}`
  made.event.entity_id = customer_id
  made.event.created_at = new Date(ORIGIN_MS + index * 1000).toISOString()
  made.order.id = `ord_${tag}${letters(index + 9_000_000, 24 - tag.length)}`
  made.order.customer_id = made.order.customer.id = customer_id
  made.order.created_at = made.order.updated_at = made.event.created_at
  return made
}

/** The bytes of a signed POST on a connection that stays open. */
export function requestOf (body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([
    'POST /webhooks/voucherify HTTP/1.1',
    'host: 127.0.0.1',
    'content-type: application/json',
    `x-voucherify-signature: ${sign(body, SECRET)}`,
    `content-length: ${body.length}`,
    '', ''
  ].join('\r\n')), body])
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

/** Letters that look drawn by lot, the same for the same number: ids that do not compress and do not sort in the order of arrival. */
function letters (number: number, length: number): string {
  let state = BigInt(number) * 0x9e3779b97f4a7c15n + 0x632be59bd9b4e019n
  let text = ''
  for (let index = 0; index < length; index++) {
    state = BigInt.asUintN(64, (state ^ (state >> 29n)) * 0xbf58476d1ce4e5b9n + 0x1234567n)
    text += ALPHABET[Number((state >> 33n) % 62n)]
  }
  return text
}

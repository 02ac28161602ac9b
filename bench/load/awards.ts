import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

const ORIGIN_MS = Date.parse('2026-01-01T00:00:00Z')

export interface AwardsOptions {
  /** They earn in turn. */
  customers: number
  /** Tells the customers and events of one history from those of another. */
  tag: string
}

/** A history of awards of real size that goes on for ever: a log of millions is made one body at a time. */
export interface Awards {
  /** The body of the next award. */
  next: () => Buffer
  /** So many of the next ones, one at a time. */
  take: (count: number) => Generator<Buffer>
  /** Points that each customer has by what was taken so far: plain addition, sharing no code with the ledger. */
  balances: () => Map<string, bigint>
}

/** The provider's own webhook about an award, 3.4 kB: literal text, and between two pieces of it what differs. */
const pieces = mouldOf(readFileSync(new URL('../../samples/customer.rewarded.loyalty_points.json', import.meta.url), 'utf8'))

export function createAwards ({ customers, tag }: AwardsOptions): Awards {
  const owners = Array.from({ length: customers }, (_, owner) => ({
    customer: `cust_${id(tag, 'customer', owner, 24)}`,
    source: `${tag}-${owner}`,
    name: `Customer ${id(tag, 'name', owner, 6)}`,
    card: `v_${id(tag, 'card', owner, 32)}`,
    code: id(tag, 'code', owner, 8).toUpperCase(),
    balance: 0
  }))
  let index = 0

  function next (): Buffer {
    const owner = owners[index % customers] as typeof owners[number]
    const points = 1 + index % 500
    owner.balance += points
    const observed: Record<string, string | number> = {
      ...owner,
      points,
      event: `evcus_${id(tag, 'event', index, 18)}`,
      order: `ord_${id(tag, 'order', index, 24)}`,
      at: new Date(ORIGIN_MS + index * 1000).toISOString()
    }
    index++
    return Buffer.from(pieces.map((piece, place) => place % 2 === 0 ? piece : observed[piece]).join(''))
  }

  return {
    next,
    * take (count) { for (let left = count; left > 0; left--) yield next() },
    balances: () => new Map(owners.filter(({ balance }) => balance > 0).map(({ customer, balance }) => [customer, BigInt(balance)]))
  }
}

/** @returns literal text and the names of what differs, in turn */
function mouldOf (sample: string): string[] {
  const award = JSON.parse(sample) as Award
  for (const person of [award.customer, award.holder]) Object.assign(person, { id: '<customer>', source_id: '<source>', name: '<name>' })
  Object.assign(award.voucher, { id: '<card>', code: '<code>', holder_id: '<customer>' })
  Object.assign(award.balance, { points: '<#points>', total: '<#balance>', balance: '<#balance>', related_object: { id: '<card>', type: 'voucher' } })
  Object.assign(award.event, { id: '<event>', entity_id: '<customer>', created_at: '<at>' })
  Object.assign(award.order, { id: '<order>', customer_id: '<customer>', created_at: '<at>', updated_at: '<at>' })
  award.order.customer.id = '<customer>'
  return JSON.stringify(award).replace(/"<#(\w+)>"/g, '<$1>').split(/<(\w+)>/)
}

interface Award { customer: object, holder: object, voucher: object, balance: object, event: object, order: { customer: { id: string } } }

/** Looks drawn by lot, the same for the same number: ids that do not compress and do not sort in the order of arrival. */
function id (tag: string, kind: string, number: number, length: number): string {
  return createHash('sha256').update(`${tag} ${kind} ${number}`).digest('base64url').replace(/[-_]/g, 'x').slice(0, length)
}

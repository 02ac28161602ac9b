import { parseInstant, type Instant } from '../../src/ledger/instant.ts'
import type { Storable } from './big.ts'

const BEGIN_MS = Date.parse('2024-01-01T00:00:00Z')
/** Every card's history spans two years, however many movements it has. */
const SPAN_MS = 730 * 86_400_000
/** How much later than it happened each movement is stored. */
const RECORDED_AFTER_MS = 1000

/** One card with a known history. */
export interface Statement {
  card_id: string
  customer_id: string
  movements: number
  /** Its awards, in small bodies, in the order in which they happened, each stored at a time of its own. */
  bodies: () => Generator<Storable>
  /** The moment of the movement at a share of the history, 0 to 1. */
  momentAt: (share: number) => Moment
  /** The balance after the last movement. */
  balance: number
}

/** A moment on both clocks at which everything before is over and stored, and what the card had then. */
export interface Moment { at: string, known_at: string, balance: number }

export function createStatement (name: string, movements: number): Statement {
  const card_id = `v_${name}`
  const customer_id = `cust_${name}`
  const step_ms = SPAN_MS / movements
  const momentOf = (index: number): number => BEGIN_MS + Math.floor(index * step_ms)
  const pointsOf = (index: number): number => 1 + index % 50
  const balanceAfter = (index: number): number => {
    let balance = 0
    for (let past = 0; past <= index; past++) balance += pointsOf(past)
    return balance
  }
  return {
    card_id,
    customer_id,
    movements,
    * bodies () {
      let balance = 0
      for (let index = 0; index < movements; index++) {
        balance += pointsOf(index)
        yield {
          recorded_at: instantOf(momentOf(index) + RECORDED_AFTER_MS),
          body: Buffer.from(JSON.stringify({
            customer: { id: customer_id, object: 'customer' },
            voucher: { id: card_id, code: name, type: 'LOYALTY_CARD', holder_id: customer_id },
            earning_rule: { id: 'ern_bench' },
            balance: { points: pointsOf(index), balance },
            event: { id: `evcus_${name}_${index}`, type: 'customer.order.paid', created_at: new Date(momentOf(index)).toISOString() }
          }))
        }
      }
    },
    momentAt (share) {
      const index = Math.floor(share * (movements - 1))
      return {
        at: new Date(momentOf(index)).toISOString(),
        known_at: new Date(momentOf(index) + RECORDED_AFTER_MS).toISOString(),
        balance: balanceAfter(index)
      }
    },
    balance: balanceAfter(movements - 1)
  }
}

function instantOf (time_ms: number): Instant {
  const instant = parseInstant(new Date(time_ms).toISOString())
  if (instant === undefined) throw new RangeError(`${time_ms} is no time`)
  return instant
}

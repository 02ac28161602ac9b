// True histories of a card, as the provider's own ledger would hold them, and what of them reaches us.
import { fc } from '../support/chance.ts'
import type { MovementKind } from '../../src/ledger/facts.ts'
import type { Instant } from '../../src/ledger/instant.ts'
import type { Movement } from '../../src/ledger/movements.ts'

export const KINDS: readonly MovementKind[] = ['accrual', 'redemption', 'refund', 'expiration', 'addition', 'removal', 'transfer_in', 'transfer_out']

/** One true movement; what happened to the telling of it. */
interface Step {
  kind: MovementKind
  points: bigint
  /** Makes the identity, in an order that has nothing to do with time. */
  name: number
  /** The provider stated no balance with it. */
  silent: boolean
  /** We never heard of it. */
  dropped: boolean
}

/** The moments of a card in their true order, each with the movements of one microsecond in theirs. */
export interface History { opening: bigint, moments: Step[][] }

export interface Observed {
  /** What we heard, in the true order, by moment. */
  moments: Movement[][]
  movements: Movement[]
  opening: bigint
  /** The balance after everything, heard or not. */
  balance: bigint
}

// Small figures make balances meet by chance, which is what makes ties hard; large ones show a loss of precision.
const points = fc.oneof(
  { weight: 8, arbitrary: fc.bigInt(-4n, 4n) },
  { weight: 1, arbitrary: fc.bigInt(-(2n ** 60n), 2n ** 60n) }
)

function step (silent: fc.Arbitrary<boolean>, dropped: fc.Arbitrary<boolean>): fc.Arbitrary<Step> {
  return fc.record({ kind: fc.constantFrom(...KINDS), points, name: fc.nat(99), silent, dropped })
}

const never = fc.constant(false)
const sometimes = fc.integer({ min: 0, max: 3 }).map(n => n === 0)

/** Histories of which we hear all, or lose some tellings, or get some without a balance. */
export function histories (lossy: { silent?: boolean, dropped?: boolean } = {}): fc.Arbitrary<History> {
  const moment = fc.array(step(lossy.silent === true ? sometimes : never, lossy.dropped === true ? sometimes : never), { minLength: 1, maxLength: 6 })
  return fc.record({
    opening: fc.oneof(fc.constant(0n), fc.bigInt(-5n, 1000n)),
    moments: fc.array(moment, { minLength: 1, maxLength: 6 })
  })
}

/** The n-th microsecond of the test's time, across a boundary of milliseconds and of seconds. */
export function moment (n: number): Instant {
  const microseconds = 998_000 + n * 499
  const second = String(Math.floor(microseconds / 1_000_000)).padStart(2, '0')
  return `2024-03-11T13:20:${second}.${String(microseconds % 1_000_000).padStart(6, '0')}Z` as Instant
}

/** The n-th hour of the test's time: far enough apart that no source could confuse two of them. */
export function hour (n: number): Instant {
  return `2024-03-${String(11 + Math.floor(n / 24)).padStart(2, '0')}T${String(n % 24).padStart(2, '0')}:20:00.000000Z` as Instant
}

/** Lets the provider tell a history. */
export function tellHistory (history: History): Observed {
  let balance = history.opening
  let count = 0
  const moments = history.moments.map((steps, at) => steps.flatMap(({ kind, points, name, silent, dropped }) => {
    balance += points
    const movement: Movement = {
      movement_id: `${kind}:${String(name).padStart(2, '0')}:${count++}`,
      card_id: 'v_1',
      kind,
      points,
      reported_balance: silent ? null : balance,
      observed: false,
      occurred_at: moment(at),
      dated_at: null,
      exact: true,
      recorded_at: moment(50 - at),
      order_id: null,
      earning_rule_id: null,
      event_id: `ev_${count}`
    }
    return dropped ? [] : [movement]
  }))
  return { moments, movements: moments.flat(), opening: history.opening, balance }
}

/** A history and another order in which its tellings may arrive. */
export function arrivals (of: fc.Arbitrary<History>): fc.Arbitrary<{ observed: Observed, arrived: Movement[] }> {
  return of.map(tellHistory).chain(observed => fc.shuffledSubarray(observed.movements, { minLength: observed.movements.length })
    .map(arrived => ({ observed, arrived })))
}

import type { MovementKind } from './facts.ts'
import type { Instant } from './instant.ts'
import type { Movement } from './movements.ts'
import { balanceBefore, sequence } from './sequence.ts'

/** One line of a card's statement: a movement, the opening, or unexplained points. */
export interface StatementLine {
  movement_id: string
  kind: MovementKind | 'unexplained'
  /** Signed. */
  points: bigint
  /** The running balance after the line. */
  balance: bigint
  reported_balance: bigint | null
  occurred_at: Instant
  recorded_at: Instant
  /** Rank among the card's lines with the same `occurred_at`, from 0. */
  ordinal: number
  order_id: string | null
  earning_rule_id: string | null
  event_id: string | null
}

/**
 * The sums of a card. `opening`, `adjusted`, `transferred` and `unexplained` are signed, the others are magnitudes:
 * balance = opening + earned + refunded − spent − expired + adjusted + transferred + unexplained.
 */
export interface Sums {
  opening: bigint
  earned: bigint
  spent: bigint
  refunded: bigint
  expired: bigint
  adjusted: bigint
  transferred: bigint
  unexplained: bigint
}

export const NO_SUMS: Sums = Object.freeze({
  opening: 0n, earned: 0n, spent: 0n, refunded: 0n, expired: 0n, adjusted: 0n, transferred: 0n, unexplained: 0n
})

/** The result of folding a contiguous part of a card's history. */
export interface Folded {
  lines: StatementLine[]
  /** What these lines add to the card's sums. */
  sums: Sums
  /** The running balance after the last line. */
  balance: bigint
}

/**
 * Folds movements of a card into statement lines and sums (docs/architecture.md, The fold). It is the only fold of a
 * card: a second one for another purpose would drift. The balance before the first movement is the card's opening
 * balance. Where a later reported balance differs from the running balance, the difference becomes an unexplained line,
 * and the running balance continues from the provider's figure.
 * @param movements of one card, in any order
 * @param balance the card's balance before them; null when they are the card's first movements
 */
export function foldCard (movements: readonly Movement[], balance: bigint | null): Folded {
  const folded: Folded = { lines: [], sums: { ...NO_SUMS }, balance: balance ?? 0n }
  let first = balance === null
  // A movement can be dated before the card was created. The amount it was created with is still its opening balance,
  // unless that earlier movement implies another one.
  const made = movements.find(({ kind }) => kind === 'opening')
  for (const movement of sequence(movements, balance)) {
    const before = balanceBefore(movement)
    if (first) {
      first = false
      folded.sums.opening = folded.balance = before ?? (movement.kind === 'opening' ? 0n : made?.points ?? 0n)
    } else if (before !== null && before !== folded.balance) {
      push(folded, unexplainedBefore(movement, before - folded.balance))
    }
    push(folded, movement)
  }
  return folded
}

/** The balance that the sums add up to. */
export function balanceOf (sums: Sums): bigint {
  return sums.opening + sums.earned + sums.refunded - sums.spent - sums.expired +
    sums.adjusted + sums.transferred + sums.unexplained
}

/** Adds what a line contributes to the sums, or subtracts it when `sign` is −1n. Changes `sums` in place. */
export function addToSums (sums: Sums, kind: StatementLine['kind'], points: bigint, sign: 1n | -1n = 1n): void {
  const signed = sign * points
  switch (kind) {
    case 'opening': sums.opening += signed; break
    case 'accrual': sums.earned += signed; break
    case 'redemption': sums.spent -= signed; break
    case 'refund': sums.refunded += signed; break
    case 'expiration': sums.expired -= signed; break
    case 'addition': case 'removal': sums.adjusted += signed; break
    case 'transfer_in': case 'transfer_out': sums.transferred += signed; break
    case 'unexplained': sums.unexplained += signed; break
    default: kind satisfies never
  }
}

/** True unless the line is an opening or unexplained: the provider calls neither of them a movement. */
export function isMovement ({ kind }: Pick<StatementLine, 'kind'>): boolean {
  return kind !== 'unexplained' && kind !== 'opening'
}

/** The movement that a line was folded from; undefined for an unexplained line, which the fold derives again. */
export function movementOf ({ ordinal: _, balance: __, ...line }: StatementLine & { card_id: string }): Movement | undefined {
  return line.kind === 'unexplained' ? undefined : line as Movement
}

type Entry = Omit<StatementLine, 'balance' | 'ordinal'>

function push (folded: Folded, entry: Entry): void {
  const last = folded.lines.at(-1)
  folded.balance += entry.points
  addToSums(folded.sums, entry.kind, entry.points)
  folded.lines.push({
    movement_id: entry.movement_id,
    kind: entry.kind,
    points: entry.points,
    balance: folded.balance,
    reported_balance: entry.reported_balance,
    occurred_at: entry.occurred_at,
    recorded_at: entry.recorded_at,
    ordinal: last?.occurred_at === entry.occurred_at ? last.ordinal + 1 : 0,
    order_id: entry.order_id,
    earning_rule_id: entry.earning_rule_id,
    event_id: entry.event_id
  })
}

function unexplainedBefore (movement: Movement, points: bigint): Entry {
  return {
    movement_id: `unexplained:${movement.movement_id}`,
    kind: 'unexplained',
    points,
    reported_balance: balanceBefore(movement),
    occurred_at: movement.occurred_at,
    recorded_at: movement.recorded_at,
    order_id: null,
    earning_rule_id: null,
    event_id: movement.event_id
  }
}

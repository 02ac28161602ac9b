import { addToSums, balanceOf, isMovement, NO_SUMS, type Folded, type StatementLine, type Sums } from './card.ts'
import type { Instant } from './instant.ts'

/** What a card's lines add up to. */
export interface Totals extends Sums {
  balance: bigint
  /** How many movements; opening and unexplained lines are none. */
  movements: bigint
  first_movement_at: Instant | null
  last_movement_at: Instant | null
}

export const NO_TOTALS: Totals = Object.freeze({ ...NO_SUMS, balance: 0n, movements: 0n, first_movement_at: null, last_movement_at: null })

/** Lines of one kind, added up. */
export interface LineTally { kind: StatementLine['kind'], points: bigint, lines: bigint }

/** Where a stretch of lines begins: what stands right before it. */
export interface Before {
  /** The running balance; null when no line stands before it. */
  balance: bigint | null
  last_movement_at: Instant | null
}

/** Adds (`sign` 1n) or takes back (−1n) lines of one kind, in place. */
export function addTally (totals: Sums & Pick<Totals, 'movements'>, { kind, points, lines }: LineTally, sign: 1n | -1n = 1n): void {
  addToSums(totals, kind, points, sign)
  if (isMovement({ kind })) totals.movements += sign * lines
}

/** The totals before a tail of a card's lines: the tail is taken back from the totals over all. */
export function withoutTail (totals: Totals, tail: readonly LineTally[], before: Before): Totals {
  // With the first line goes the balance before it, which is in no line.
  if (before.balance === null) return { ...NO_TOTALS }
  const left = { ...totals }
  for (const tally of tail) addTally(left, tally, -1n)
  if (left.movements === 0n) left.first_movement_at = null
  return { ...left, balance: balanceOf(left), last_movement_at: left.movements === 0n ? null : before.last_movement_at }
}

/** The totals further on in a card's lines: those of a place that some movement stands before, and the lines from there on. */
export function withLines (totals: Totals, between: readonly LineTally[], before: Before): Totals {
  const grown = { ...totals, last_movement_at: before.last_movement_at }
  for (const tally of between) addTally(grown, tally)
  return { ...grown, balance: balanceOf(grown) }
}

/** The totals after one more stretch of lines. */
export function withStretch (totals: Totals, { lines, sums }: Folded): Totals {
  const grown = { ...totals }
  for (const [name, points] of Object.entries(sums) as Array<[keyof Sums, bigint]>) grown[name] += points
  const moved = lines.filter(isMovement)
  return {
    ...grown,
    balance: balanceOf(grown),
    movements: totals.movements + BigInt(moved.length),
    first_movement_at: totals.first_movement_at ?? moved[0]?.occurred_at ?? null,
    last_movement_at: moved.at(-1)?.occurred_at ?? totals.last_movement_at
  }
}

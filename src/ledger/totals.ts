import { addToSums, balanceOf, isMovement, NO_SUMS, type Folded, type StatementLine, type Sums } from './card.ts'
import type { Instant } from './instant.ts'

/** The sums, counts and dates over a card's statement lines. */
export interface Totals extends Sums {
  balance: bigint
  /** The number of movements; opening and unexplained lines do not count. */
  movements: bigint
  first_movement_at: Instant | null
  last_movement_at: Instant | null
}

export const NO_TOTALS: Totals = Object.freeze({ ...NO_SUMS, balance: 0n, movements: 0n, first_movement_at: null, last_movement_at: null })

/** The points and number of lines of one kind. */
export interface LineTally { kind: StatementLine['kind'], points: bigint, lines: bigint }

/** The state right before a run of lines. */
export interface Before {
  /** The running balance; null when no line precedes them. */
  balance: bigint | null
  last_movement_at: Instant | null
}

/** Adds the lines of one kind, or subtracts them when `sign` is −1n. Changes `totals` in place. */
export function addTally (totals: Sums & Pick<Totals, 'movements'>, { kind, points, lines }: LineTally, sign: 1n | -1n = 1n): void {
  addToSums(totals, kind, points, sign)
  if (isMovement({ kind })) totals.movements += sign * lines
}

/** The totals before a tail of a card's lines: the totals of all lines minus those of the tail. */
export function withoutTail (totals: Totals, tail: readonly LineTally[], before: Before): Totals {
  // The tail begins with the card's first line: then the opening balance, which is in no line, goes as well.
  if (before.balance === null) return { ...NO_TOTALS }
  const left = { ...totals }
  for (const tally of tail) addTally(left, tally, -1n)
  if (left.movements === 0n) left.first_movement_at = null
  return { ...left, balance: balanceOf(left), last_movement_at: left.movements === 0n ? null : before.last_movement_at }
}

/**
 * The totals at a later place among a card's lines: those of an earlier place, plus the lines between.
 * @param totals of a place that at least one movement precedes
 */
export function withLines (totals: Totals, between: readonly LineTally[], before: Before): Totals {
  const grown = { ...totals, last_movement_at: before.last_movement_at }
  for (const tally of between) addTally(grown, tally)
  return { ...grown, balance: balanceOf(grown) }
}

/** The totals after the lines of one more fold. */
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

/** The sums of a card's lines, from the first one to some line. */
export interface RunningTotals extends Sums { movements: bigint }

/**
 * Movements from one line with running totals to the next: a question about a past date adds up no more than these, and
 * as many unexplained lines.
 */
export const RUNNING_TOTALS_EVERY = 256n

/**
 * The running totals in a stretch of lines, by index: at every 256th movement of the card. They depend on the card's
 * lines and on nothing else, so they are the same in whatever order the lines came to be.
 * @param before the card's totals before the stretch
 */
export function runningTotalsOf (before: Totals, { lines, sums }: Folded): Map<number, RunningTotals> {
  const totalsByIndex = new Map<number, RunningTotals>()
  if ((before.movements % RUNNING_TOTALS_EVERY) + BigInt(lines.length) < RUNNING_TOTALS_EVERY) return totalsByIndex
  const running = runningTotalsFrom(name => before[name])
  // The opening may have no line.
  running.opening += lines.reduce((opening, { kind, points }) => kind === 'opening' ? opening - points : opening, sums.opening)
  for (const [index, line] of lines.entries()) {
    addTally(running, { kind: line.kind, points: line.points, lines: 1n })
    if (isMovement(line) && running.movements % RUNNING_TOTALS_EVERY === 0n) totalsByIndex.set(index, { ...running })
  }
  return totalsByIndex
}

const NAMES = [...Object.keys(NO_SUMS), 'movements'] as Array<keyof RunningTotals>

function runningTotalsFrom (value: (name: keyof RunningTotals) => bigint): RunningTotals {
  return Object.fromEntries(NAMES.map(name => [name, value(name)])) as unknown as RunningTotals
}

/** As it is stored: decimals as texts, which are exact wherever they are read. */
export type StoredTotals = Record<keyof RunningTotals, string>

export function storedTotals (running_totals: RunningTotals): StoredTotals {
  return Object.fromEntries(NAMES.map(name => [name, String(running_totals[name])])) as StoredTotals
}

export function readRunningTotals (stored: StoredTotals): RunningTotals {
  return runningTotalsFrom(name => BigInt(stored[name]))
}

/** A line as it is kept. */
export interface StoredLine extends StatementLine { running_totals: StoredTotals | null }

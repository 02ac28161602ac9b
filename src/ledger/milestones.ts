import { isMovement, NO_SUMS, type Folded, type StatementLine, type Sums } from './card.ts'
import { addTally, type Totals } from './totals.ts'

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

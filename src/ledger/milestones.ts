import { isMovement, NO_SUMS, type Folded, type StatementLine, type Sums } from './card.ts'
import { addTally, type Totals } from './totals.ts'

/** What the lines of a card add up to, from the first one to some line. */
export interface RunningTotals extends Sums { movements: bigint }

/** From one milestone to the next: a question about a past date adds up no more movements than these, and as many unexplained lines. */
export const RUNNING_TOTALS_EVERY = 256n

/**
 * The milestones of a stretch of lines, by their places in it: at every so many-th movement of the card. They depend on the
 * card's lines and on nothing else, so however the lines came to be, the same ones stand.
 * @param before the card's totals before the stretch
 */
export function runningTotalsOf (before: Totals, { lines, sums }: Folded): Map<number, RunningTotals> {
  const totalsByIndex = new Map<number, RunningTotals>()
  if ((before.movements % RUNNING_TOTALS_EVERY) + BigInt(lines.length) < RUNNING_TOTALS_EVERY) return totalsByIndex
  const running = runningTotalsFrom(name => before[name])
  // What the card began with is in no line.
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

/** As it is stored: JSON of decimals in texts, which are exact wherever they are read. */
export function writeRunningTotals (running_totals: RunningTotals): string {
  return JSON.stringify(Object.fromEntries(NAMES.map(name => [name, String(running_totals[name])])))
}

export function readRunningTotals (text: string): RunningTotals {
  const stored = JSON.parse(text) as Record<keyof RunningTotals, string>
  return runningTotalsFrom(name => BigInt(stored[name]))
}

/** A line as it is kept. */
export interface StoredLine extends StatementLine { running_totals: string | null }

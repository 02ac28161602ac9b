import { addToSums, balanceOf, isMovement, NO_SUMS, type Folded, type Line, type Sums } from './card.ts'
import { NO_TOTALS, type Before, type Tally, type Totals } from './totals.ts'

/** What the lines of a card add up to, from the first one to some line. */
export interface Milestone extends Sums { movements: bigint }

/** From one milestone to the next: a question about a past date adds up no more movements than these, and as many unexplained lines. */
export const MILESTONE_MOVEMENTS = 256n

/**
 * The milestones of a stretch of lines, by their places in it: at every so many-th movement of the card. They depend on the
 * card's lines and on nothing else, so however the lines came to be, the same ones stand.
 * @param before the card's totals before the stretch
 */
export function milestonesOf (before: Totals, { lines, sums }: Folded): Map<number, Milestone> {
  const milestones = new Map<number, Milestone>()
  if ((before.movements % MILESTONE_MOVEMENTS) + BigInt(lines.length) < MILESTONE_MOVEMENTS) return milestones
  const running: Milestone = { ...sumsOf(before), movements: before.movements }
  // What the card began with is in no line.
  running.opening += lines.reduce((opening, { kind, points }) => kind === 'opening' ? opening - points : opening, sums.opening)
  for (const [index, line] of lines.entries()) {
    addToSums(running, line.kind, line.points)
    if (isMovement(line) && ++running.movements % MILESTONE_MOVEMENTS === 0n) milestones.set(index, { ...running })
  }
  return milestones
}

const NAMES = [...Object.keys(NO_SUMS), 'movements'] as Array<keyof Milestone>

function sumsOf (totals: Totals): Sums {
  return Object.fromEntries(Object.keys(NO_SUMS).map(name => [name, totals[name as keyof Sums]])) as unknown as Sums
}

/** The totals right before a cut: what the last milestone before it says, and the lines between. */
export function totalsAfter (milestone: Milestone, between: readonly Tally[], { first_movement_at }: Pick<Totals, 'first_movement_at'>, { last_movement_at }: Before): Totals {
  const totals: Totals = { ...NO_TOTALS, ...milestone, first_movement_at, last_movement_at }
  for (const { kind, points, lines } of between) {
    addToSums(totals, kind, points)
    if (isMovement({ kind })) totals.movements += lines
  }
  return { ...totals, balance: balanceOf(totals) }
}

/** As it is stored: JSON of decimals in texts, which are exact wherever they are read. */
export function writeMilestone (milestone: Milestone): string {
  return JSON.stringify(Object.fromEntries(NAMES.map(name => [name, String(milestone[name])])))
}

export function readMilestone (text: string): Milestone {
  const stored = JSON.parse(text) as Record<keyof Milestone, string>
  return Object.fromEntries(NAMES.map(name => [name, BigInt(stored[name])])) as unknown as Milestone
}

/** A line as it is kept. */
export interface KeptLine extends Line { milestone: string | null }

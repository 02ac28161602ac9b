import { isMovement, NO_SUMS, type Folded, type Line, type Sums } from './card.ts'
import { addTally, type Totals } from './totals.ts'

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
  const running = milestoneOf(name => before[name])
  // What the card began with is in no line.
  running.opening += lines.reduce((opening, { kind, points }) => kind === 'opening' ? opening - points : opening, sums.opening)
  for (const [index, line] of lines.entries()) {
    addTally(running, { kind: line.kind, points: line.points, lines: 1n })
    if (isMovement(line) && running.movements % MILESTONE_MOVEMENTS === 0n) milestones.set(index, { ...running })
  }
  return milestones
}

const NAMES = [...Object.keys(NO_SUMS), 'movements'] as Array<keyof Milestone>

function milestoneOf (value: (name: keyof Milestone) => bigint): Milestone {
  return Object.fromEntries(NAMES.map(name => [name, value(name)])) as unknown as Milestone
}

/** As it is stored: JSON of decimals in texts, which are exact wherever they are read. */
export function writeMilestone (milestone: Milestone): string {
  return JSON.stringify(Object.fromEntries(NAMES.map(name => [name, String(milestone[name])])))
}

export function readMilestone (text: string): Milestone {
  const stored = JSON.parse(text) as Record<keyof Milestone, string>
  return milestoneOf(name => BigInt(stored[name]))
}

/** A line as it is kept. */
export interface KeptLine extends Line { milestone: string | null }

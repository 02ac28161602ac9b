import { compare, type MergedMovement } from './movements.ts'

/** Orders movements of one time so that their balances join up. @param running the balance before, if it is known */
export function ofOneTime (movements: readonly MergedMovement[], running: number | undefined): MergedMovement[] {
  const left = [...movements].sort((a, b) => compare(a.movement_id, b.movement_id))
  return left.length <= 1 ? left : continuous(left, running) ?? jumping(left, running)
}

/** Tries every order. Returns the first in which each balance continues the one before. */
function continuous (left: readonly MergedMovement[], running: number | undefined): MergedMovement[] | undefined {
  if (left.length === 0) return []
  if (running === undefined) return undefined
  for (const next of left) {
    if ((beforeOf(next) ?? running) !== running) continue
    const rest = continuous(left.filter(movement => movement !== next), running + next.points)
    if (rest !== undefined) return [next, ...rest]
  }
  return undefined
}

/**
 * Orders movements of one time where something is missing. Next comes the movement that continues the balance; else one
 * without a balance after which another continues; else one that continues none of the others, the smallest balance
 * first. Movements without a balance that lead nowhere come last.
 */
function jumping (moment: readonly MergedMovement[], before: number | undefined): MergedMovement[] {
  const reported = moment.filter(movement => movement.reported_balance !== null)
  const silent = moment.filter(movement => movement.reported_balance === null)
  const ordered: MergedMovement[] = []
  let running = before
  while (reported.length > 0) {
    const next = continuing(reported, running) ?? silent.find(({ points }) => running !== undefined && continuing(reported, running + points) !== undefined) ?? beginning(reported)
    const from = next.reported_balance === null ? silent : reported
    from.splice(from.indexOf(next), 1)
    ordered.push(next)
    running = after(next, running)
  }
  return [...ordered, ...silent]
}

function continuing (reported: readonly MergedMovement[], running: number | undefined): MergedMovement | undefined {
  return reported.find(movement => beforeOf(movement) === running)
}

function beginning (reported: readonly MergedMovement[]): MergedMovement {
  const byBalance = [...reported].sort((a, b) => (beforeOf(a) ?? 0) - (beforeOf(b) ?? 0))
  return byBalance.find(movement => !reported.some(other => other !== movement && other.reported_balance === beforeOf(movement))) ?? byBalance[0]!
}

/** The balance before a movement, computed from its own figures. */
export function beforeOf ({ reported_balance, points }: MergedMovement): number | undefined {
  return reported_balance === null ? undefined : reported_balance - points
}

function after (movement: MergedMovement, running: number | undefined): number {
  return movement.reported_balance ?? (running ?? 0) + movement.points
}

import { compare, type MergedMovement } from './movements.ts'
import { beforeOf, ofOneTime } from './sequence.ts'
import { microsBetween } from './times.ts'

/** So far a trigger or a send-out can be from the change itself, in microseconds. */
export const WINDOW = 15_000_000
const CROWD = 64

/** Movements in order, and what the card was made with if that is not the first of them. */
export type Settled = MergedMovement[] & { made: number | undefined }

interface Time { at: string, movements: MergedMovement[] }
interface Move { movement: MergedMovement, to: number }

/**
 * Orders the movements of a card by time. Where a balance does not continue the one before, movements without an exact
 * time are tried at the other times within the window, and stay where everything in between joins up.
 */
export function settled (movements: readonly MergedMovement[]): Settled {
  const byTime = [...movements].sort((a, b) => compare(a.occurred_at, b.occurred_at) || Number(b.kind === 'opening') - Number(a.kind === 'opening'))
  const made = byTime.find(({ kind }) => kind === 'opening')
  const kept = byTime.filter((movement, index) => movement.kind !== 'opening' || index === 0)
  const times: Time[] = [...new Set(kept.map(({ occurred_at }) => occurred_at))].map(at => ({ at, movements: kept.filter(({ occurred_at }) => occurred_at === at) }))
  const before: Array<number | undefined> = [undefined]
  for (let index = 0; index < times.length; index++) {
    const played = play(times[index]!.movements, before[index])
    const from = played.joins ? undefined : mend(times, before, index)
    if (from === undefined) before[index + 1] = played.after
    else index = from - 1
  }
  const ordered = times.flatMap(({ movements: here }, index) => play(here, before[index]).ordered)
  return Object.assign(ordered, { made: made === undefined || ordered[0] === made ? undefined : made.points })
}

function mend (times: Time[], before: ReadonlyArray<number | undefined>, index: number): number | undefined {
  const { at } = times[index]!
  const near = times.map((_, other) => other).filter(other => microsBetween(times[other]!.at, at) <= WINDOW)
  if (near.reduce((count, other) => count + times[other]!.movements.length, 0) > CROWD) return undefined
  for (const moves of tries(times, near, index)) {
    const after = times.map(({ at: time, movements }, other) => ({
      at: time,
      movements: [
        ...movements.filter(movement => !moves.some(move => move.movement === movement)),
        ...moves.filter(({ to }) => to === other).map(({ movement }) => ({ ...movement, occurred_at: time, dated_at: movement.occurred_at }))
      ]
    }))
    const concerned = [index, ...moves.flatMap(({ movement, to }) => [to, times.findIndex(({ movements }) => movements.includes(movement))])]
    const [first, last] = [Math.min(...concerned), Math.max(...concerned)]
    let running = before[first]
    const joins = after.slice(first, last + 1).every(({ movements }) => {
      const played = play(movements, running)
      running = played.after
      return played.joins
    })
    if (!joins) continue
    for (const [other, time] of after.entries()) times[other] = time
    return first
  }
  return undefined
}

/** First away from here, then to here: one alone, then several. */
function tries (times: readonly Time[], near: readonly number[], index: number): Move[][] {
  const { at, movements } = times[index]!
  const loose = ({ exact, dated_at }: MergedMovement): boolean => !exact && dated_at === null
  const others = near.filter(other => other !== index)
  const targets = [...others].sort((a, b) => microsBetween(times[a]!.at, at) - microsBetween(times[b]!.at, at) || a - b)
  const mine = movements.filter(loose)
  const theirs = others.flatMap(other => times[other]!.movements.filter(loose))
    .sort((a, b) => microsBetween(a.occurred_at, at) - microsBetween(b.occurred_at, at) || compare(a.movement_id, b.movement_id))
  return [
    ...mine.flatMap(movement => targets.map(to => [{ movement, to }])),
    ...mine.length > 1 ? targets.map(to => mine.map(movement => ({ movement, to }))) : [],
    ...theirs.map(movement => [{ movement, to: index }]),
    ...theirs.slice(1).map((_, more) => theirs.slice(0, more + 2).map(movement => ({ movement, to: index })))
  ]
}

/** One time, played from a balance; undefined: none is known. */
function play (movements: readonly MergedMovement[], from: number | undefined): { ordered: MergedMovement[], joins: boolean, after: number | undefined } {
  const opening = movements.filter(({ kind }) => kind === 'opening')
  let running = opening.reduce<number | undefined>((_, { points }) => points, from)
  const ordered = [...opening, ...ofOneTime(movements.filter(({ kind }) => kind !== 'opening'), running)]
  let joins = true
  running = from
  for (const movement of ordered) {
    const stated = beforeOf(movement)
    if (stated !== undefined && running !== undefined && stated !== running) joins = false
    running = movement.reported_balance ?? (running === undefined ? undefined : running + movement.points)
  }
  return { ordered, joins, after: running }
}

import type { Instant } from './instant.ts'
import { apart, WINDOW_MICROSECONDS } from './instant-distance.ts'
import type { Movement } from './movements.ts'
import { balanceBefore, joinUp, sequence } from './sequence.ts'
import { compareText } from './text.ts'

/**
 * With more movements than this within one window, no other order is looked for: balances meet by chance, and every
 * gap would cost the square of the number. It is also how many lines before a tail can matter to it.
 */
export const CROWD = 64

/** A movement before those that are put in order. */
export type Earlier = Pick<Movement, 'occurred_at'>

/**
 * Puts the movements of a card in order (see `sequence`), and mends what inexact times put in the wrong place: where
 * balances do not join up, a movement that is dated by its trigger or its send-out may belong to another moment within
 * the window. It moves there if all balances between the two places join up then, and keeps the time that its events
 * state in `dated_at`. An exact movement is never moved.
 *
 * From left to right, each gap is looked at once, with nothing but the movements within the window around it. So
 * movements that come later in time than two windows after a place change nothing before that place.
 * @param earlier movements within a window before these, the last CROWD of them at most
 */
export function settle (movements: readonly Movement[], balance: bigint | null, earlier: readonly Earlier[] = []): Movement[] {
  const ordered = sequence(movements, balance)
  return !movements.some(isMovable) || isGapless(ordered, balance) ? ordered : new Settling(ordered, balance, earlier).settled()
}

/** True where every balance continues the one before. */
export function isGapless (ordered: readonly Movement[], balance: bigint | null): boolean {
  let running = balance
  for (const movement of ordered) {
    const before = balanceBefore(movement)
    if (before !== null && running !== null && before !== running) return false
    running = movement.reported_balance ?? (running === null ? null : running + movement.points)
  }
  return true
}

interface Moment { at: Instant, movements: Movement[] }
interface Change { movement: Movement, to: number }

class Settling {
  readonly #moments: Moment[] = []
  readonly #earlier: readonly Earlier[]
  /** The balance before each moment. */
  readonly #before: Array<bigint | null>

  constructor (sequenced: readonly Movement[], balance: bigint | null, earlier: readonly Earlier[]) {
    for (const movement of sequenced) {
      const last = this.#moments.at(-1)
      if (last?.at === movement.occurred_at) last.movements.push(movement)
      else this.#moments.push({ at: movement.occurred_at, movements: [movement] })
    }
    this.#earlier = earlier
    this.#before = [balance]
  }

  settled (): Movement[] {
    const ordered: Movement[][] = []
    for (let index = 0; index < this.#moments.length; index++) {
      const before = this.#before[index] ?? null
      const played = inOrder(this.#moments[index]?.movements ?? [], before)
      if (!isGapless(played, before)) {
        const first = this.#mend(index)
        if (first !== undefined) {
          index = first - 1
          continue
        }
      }
      ordered[index] = played
      this.#before[index + 1] = balanceAfter(played, before)
    }
    return ordered.flat()
  }

  /** Closes the gap in a moment by moving movements to it or away from it. @returns the first moment that changed */
  #mend (index: number): number | undefined {
    const near = this.#near(index)
    if (near === undefined) return undefined
    for (const changes of [...this.#away(index, near), ...this.#towards(index, near)]) {
      if (!this.#joinsUp(changes, index)) continue
      for (const change of changes) this.#apply(change)
      return Math.min(index, ...changes.map(({ movement, to }) => Math.min(to, this.#indexOf(movement.dated_at ?? movement.occurred_at))))
    }
    return undefined
  }

  /** The indexes of the moments within the window; undefined where it is too crowded. */
  #near (index: number): number[] | undefined {
    const at = this.#moments[index]?.at
    if (at === undefined) return undefined
    let crowd = this.#earlier.filter(({ occurred_at }) => apart(occurred_at, at) <= WINDOW_MICROSECONDS).length
    const near: number[] = []
    for (const step of [-1, 1]) {
      for (let other = step < 0 ? index : index + 1; ; other += step) {
        const moment = this.#moments[other]
        if (moment === undefined || apart(moment.at, at) > WINDOW_MICROSECONDS) break
        near.push(other)
        crowd += moment.movements.length
        if (crowd > CROWD) return undefined
      }
    }
    return near.sort((a, b) => a - b)
  }

  /** Movements of the moment to others: each alone, then all together. */
  #away (index: number, near: readonly number[]): Change[][] {
    const movable = this.#moments[index]?.movements.filter(isMovable) ?? []
    const at = this.#moments[index]?.at as Instant
    const others = near.filter(other => other !== index)
      .sort((a, b) => apart(this.#moments[a]?.at as Instant, at) - apart(this.#moments[b]?.at as Instant, at) || a - b)
    const alone = movable.flatMap(movement => others.map(to => [{ movement, to }]))
    return movable.length < 2 ? alone : [...alone, ...others.map(to => movable.map(movement => ({ movement, to })))]
  }

  /** Movements of other moments to this one: each alone, then the nearest two, three and so on together. */
  #towards (index: number, near: readonly number[]): Change[][] {
    const at = this.#moments[index]?.at as Instant
    const movable = near.filter(other => other !== index).flatMap(other => this.#moments[other]?.movements.filter(isMovable) ?? [])
      .sort((a, b) => apart(a.occurred_at, at) - apart(b.occurred_at, at) || compareText(a.movement_id, b.movement_id))
    const changes = movable.map(movement => ({ movement, to: index }))
    return [...changes.map(change => [change]), ...changes.slice(1).map((_, last) => changes.slice(0, last + 2))]
  }

  /** True if, after the changes, all balances from the first moment concerned to the last one join up. */
  #joinsUp (changes: readonly Change[], index: number): boolean {
    const places = changes.flatMap(({ movement, to }) => [to, this.#indexOf(movement.occurred_at)])
    const first = Math.min(index, ...places)
    const last = Math.max(index, ...places)
    const away = new Set(changes.map(({ movement }) => movement))
    let running = this.#before[first] ?? null
    for (let place = first; place <= last; place++) {
      const stay = this.#moments[place]?.movements.filter(movement => !away.has(movement)) ?? []
      const come = changes.filter(({ to }) => to === place).map(({ movement }) => movement)
      const ordered = inOrder([...stay, ...come], running)
      if (!isGapless(ordered, running)) return false
      running = balanceAfter(ordered, running)
    }
    return true
  }

  #apply ({ movement, to }: Change): void {
    const from = this.#moments[this.#indexOf(movement.occurred_at)]
    const moment = this.#moments[to]
    if (from === undefined || moment === undefined) return
    from.movements.splice(from.movements.indexOf(movement), 1)
    moment.movements.push({ ...movement, occurred_at: moment.at, dated_at: movement.occurred_at })
  }

  #indexOf (at: Instant): number {
    let [low, high] = [0, this.#moments.length - 1]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#moments[middle]?.at ?? '') < at) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** A movement moves once at most: what moved has the time that its events state in `dated_at`. */
function isMovable ({ exact, dated_at }: Movement): boolean {
  return !exact && dated_at === null
}

function inOrder (moment: readonly Movement[], balance: bigint | null): Movement[] {
  const opened = moment.filter(({ kind }) => kind === 'opening')
  const running = balanceAfter(opened, balance)
  const rest = moment.filter(({ kind }) => kind !== 'opening').sort((a, b) => compareText(a.movement_id, b.movement_id))
  return [...opened, ...rest.length <= 1 ? rest : joinUp(rest, running)]
}

function balanceAfter (ordered: readonly Movement[], balance: bigint | null): bigint | null {
  let running = balance
  for (const { reported_balance, points } of ordered) running = reported_balance ?? (running === null ? null : running + points)
  return running
}

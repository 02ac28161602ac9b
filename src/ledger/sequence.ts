import type { Movement } from './movements.ts'
import { compareText } from './text.ts'
import { Trails } from './trails.ts'

/**
 * Puts the movements of a card in order: by `occurred_at`; at the same moment in the order in which the balances before
 * and after join up (continuity), then by identity. Arrival plays no part. Takes O(n log n) time, also for one moment.
 *
 * An opening comes first or not at all: if anything is dated before it, the balance before that is the card's opening.
 * The times of two sources differ by seconds, and an opening in between would take points away.
 * @param movements of one card, in any order
 * @param balance the card's balance before the first of them; null when nothing is known before
 */
export function sequence (movements: readonly Movement[], balance: bigint | null): Movement[] {
  const sorted = [...movements].sort(compareMovements).filter(({ kind }, index) => kind !== 'opening' || (index === 0 && balance === null))
  const ordered: Movement[] = []
  let running = balance
  for (let start = 0; start < sorted.length;) {
    let end = start + 1
    while (end < sorted.length && sorted[end]?.occurred_at === sorted[start]?.occurred_at) end++
    const opened = sorted[start]?.kind === 'opening' ? sorted.slice(start, ++start) : []
    for (const movement of opened) add(movement)
    const moment = sorted.slice(start, end)
    for (const movement of moment.length <= 1 ? moment : joinUp(moment, running)) add(movement)
    start = end
  }
  return ordered

  function add (movement: Movement): void {
    ordered.push(movement)
    running = movement.reported_balance ?? (running === null ? null : running + movement.points)
  }
}

function compareMovements (a: Movement, b: Movement): number {
  return compareText(a.occurred_at, b.occurred_at) ||
    Number(b.kind === 'opening') - Number(a.kind === 'opening') ||
    compareText(a.movement_id, b.movement_id)
}

/** The balance before a movement, as the provider's own figures imply it; null when it reports none. */
export function balanceBefore (movement: Movement): bigint | null {
  return movement.reported_balance === null ? null : movement.reported_balance - movement.points
}

/** Moments of up to so many movements are searched for an order without a gap: 2^12 sets of movements. */
const SEARCHED_MOVEMENTS = 12

/**
 * Orders the movements of one moment. A movement with a reported balance is an edge from the balance before it to the
 * balance after it; the true order is a trail through these edges. A movement without one fits anywhere: if there are
 * any, and the moment is short, an order without a gap is searched for. Otherwise the trails are walked. Where one
 * ends, a movement without a reported balance may bridge it to the next; where none does, the order jumps, and the fold
 * shows the jump as unexplained.
 */
export function joinUp (moment: readonly Movement[], balance: bigint | null): Movement[] {
  const bridges = new Bridges(moment)
  if (balance !== null && bridges.any() && moment.length <= SEARCHED_MOVEMENTS) {
    const gapless = searchGapless(moment, balance)
    if (gapless !== undefined) return gapless
  }
  const trails = new Trails(moment)
  const ordered: Movement[] = []
  let at = balance
  while (trails.left > 0) {
    if (at === null || !trails.leaves(at)) {
      const bridge = at === null ? undefined : bridges.take(at, trails)
      if (bridge !== undefined) ordered.push(bridge)
      at = bridge === undefined ? trails.start() : (at ?? 0n) + bridge.points
    }
    const trail = trails.trail(at)
    for (const movement of trail) ordered.push(movement)
    at = trail.at(-1)?.reported_balance ?? at
  }
  return [...ordered, ...bridges.rest()]
}

/**
 * At each end of a trail so many different amounts are tried as a bridge. Which of n amounts joins which of n balances
 * is not known to be decidable in less than n² steps; 16,000 different ones in one microsecond happen in no true
 * history.
 */
const TRIED_AMOUNTS = 256

/** The unused movements of one moment without a reported balance, by their points, each in order of identity. */
class Bridges {
  readonly #movements: readonly Movement[]
  readonly #byPoints = new Map<bigint, { indexes: number[], next: number }>()
  readonly #used = new Set<Movement>()

  constructor (moment: readonly Movement[]) {
    this.#movements = moment.filter(({ reported_balance }) => reported_balance === null)
    for (const [index, { points }] of this.#movements.entries()) {
      const queue = this.#byPoints.get(points)
      if (queue === undefined) this.#byPoints.set(points, { indexes: [index], next: 0 })
      else queue.indexes.push(index)
    }
  }

  any (): boolean {
    return this.#movements.length > 0
  }

  /** Uses the first movement, by identity, that leads from a balance to one where a trail goes on. */
  take (from: bigint, trails: Trails): Movement | undefined {
    let first = Infinity
    let tried = 0
    for (const [points, { indexes, next }] of this.#byPoints) {
      if (tried++ === TRIED_AMOUNTS) break
      const index = indexes[next] ?? Infinity
      if (index < first && trails.leaves(from + points)) first = index
    }
    const movement = this.#movements[first]
    if (movement !== undefined) this.#use(movement)
    return movement
  }

  rest (): Movement[] {
    return this.#movements.filter(movement => !this.#used.has(movement))
  }

  #use (movement: Movement): void {
    const queue = this.#byPoints.get(movement.points)
    if (queue !== undefined && ++queue.next === queue.indexes.length) this.#byPoints.delete(movement.points)
    this.#used.add(movement)
  }
}

/**
 * The first order, by identity, in which every reported balance joins up. A set of movements leads to one balance, so
 * each set is tried once.
 */
function searchGapless (moment: readonly Movement[], balance: bigint): Movement[] | undefined {
  const dead = new Set<number>()
  function search (used: number, at: bigint): Movement[] | undefined {
    if (used === (1 << moment.length) - 1) return []
    if (dead.has(used)) return undefined
    for (const [index, movement] of moment.entries()) {
      if ((used & (1 << index)) !== 0 || (balanceBefore(movement) ?? at) !== at) continue
      const rest = search(used | (1 << index), at + movement.points)
      if (rest !== undefined) return [movement, ...rest]
    }
    dead.add(used)
    return undefined
  }
  return search(0, balance)
}

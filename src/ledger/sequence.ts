import { compareText, type Movement } from './movements.ts'

/**
 * Puts the movements of a card in order: by `occurred_at`; at the same moment in the order in which before and
 * after balances join up (continuity), then by identity. Never by arrival.
 * @param movements of one card, in any order
 * @param balance the card's balance before the first of them; null when nothing is known before
 */
export function sequence (movements: readonly Movement[], balance: bigint | null): Movement[] {
  const sorted = [...movements].sort((a, b) => compareText(a.occurred_at, b.occurred_at) || compareText(a.movement_id, b.movement_id))
  const ordered: Movement[] = []
  let running = balance
  for (let start = 0; start < sorted.length;) {
    let end = start + 1
    while (end < sorted.length && sorted[end]?.occurred_at === sorted[start]?.occurred_at) end++
    const moment = sorted.slice(start, end)
    for (const movement of moment.length === 1 ? moment : joinUp(moment, running)) {
      ordered.push(movement)
      running = movement.reported_balance ?? (running ?? 0n) + movement.points
    }
    start = end
  }
  return ordered
}

/** The balance before a movement, as the provider's own figures imply it; null when it reports none. */
export function balanceBefore (movement: Movement): bigint | null {
  return movement.reported_balance === null ? null : movement.reported_balance - movement.points
}

/**
 * Settles a tie. A movement with a reported balance is an edge from the balance before it to the balance after it;
 * the true order is a trail through these edges. Where a trail breaks, a movement without a reported balance may
 * bridge it; where nothing does, the order jumps, and the fold will show the jump as unexplained.
 */
function joinUp (moment: readonly Movement[], balance: bigint | null): Movement[] {
  const edges = new Edges(moment)
  const silent = moment.filter(movement => movement.reported_balance === null)
  const ordered: Movement[] = []
  let at = balance
  while (edges.left > 0) {
    if (at === null || !edges.leaves(at)) {
      const bridge = at === null ? -1 : silent.findIndex(movement => edges.leaves((at ?? 0n) + movement.points))
      const [movement] = bridge === -1 ? [] : silent.splice(bridge, 1)
      if (movement !== undefined) {
        ordered.push(movement)
        at = (at ?? 0n) + movement.points
      } else {
        at = edges.start()
      }
    }
    const trail = edges.trail(at)
    ordered.push(...trail)
    at = trail.at(-1)?.reported_balance ?? at
  }
  return [...ordered, ...silent]
}

/** The unused reported movements of one moment, by the balance they leave from. */
class Edges {
  readonly #from = new Map<bigint, Movement[]>()
  left = 0

  constructor (moment: readonly Movement[]) {
    for (const movement of moment) {
      const before = balanceBefore(movement)
      if (before === null) continue
      this.#put(before, movement)
    }
  }

  leaves (balance: bigint): boolean {
    return (this.#from.get(balance)?.length ?? 0) > 0
  }

  /** Where a trail over the rest should begin: the smallest balance that is left more often than reached, else the smallest. */
  start (): bigint {
    const degree = new Map<bigint, number>()
    for (const [before, movements] of this.#from) {
      for (const movement of movements) {
        const after = before + movement.points
        degree.set(before, (degree.get(before) ?? 0) + 1)
        degree.set(after, (degree.get(after) ?? 0) - 1)
      }
    }
    const open = [...this.#from.keys()].filter(balance => this.leaves(balance))
    const sources = open.filter(balance => (degree.get(balance) ?? 0) > 0)
    return (sources.length > 0 ? sources : open).reduce((least, balance) => balance < least ? balance : least)
  }

  /** Walks from a balance until stuck, then works the closed walks left aside into it (Hierholzer's way, in linear time). */
  trail (start: bigint): Movement[] {
    const trail = this.#walk(start)
    for (let index = 0; index <= trail.length; index++) {
      const here = index === 0 ? start : trail[index - 1]?.reported_balance ?? start
      while (this.leaves(here)) {
        const detour = this.#walk(here)
        if (detour.at(-1)?.reported_balance !== here) {
          for (const movement of detour.reverse()) this.#put(movement.reported_balance as bigint - movement.points, movement, true)
          break
        }
        trail.splice(index, 0, ...detour)
      }
    }
    return trail
  }

  #walk (start: bigint): Movement[] {
    const walked: Movement[] = []
    let at = start
    for (;;) {
      const next = this.#from.get(at)?.shift()
      if (next === undefined) return walked
      this.left--
      walked.push(next)
      at += next.points
    }
  }

  #put (before: bigint, movement: Movement, inFront = false): void {
    const movements = this.#from.get(before) ?? []
    if (inFront) movements.unshift(movement)
    else movements.push(movement)
    this.#from.set(before, movements)
    this.left++
  }
}

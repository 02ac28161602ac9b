// How movements of one moment were put in order at first: quadratic in the worst case, and the definition of the order.
import type { Movement } from '../../src/ledger/movements.ts'
import { compareText } from '../../src/ledger/text.ts'

/**
 * Puts the movements of a card in order: by `occurred_at`; at the same moment in the order in which before and
 * after balances join up (continuity), then by identity. Never by arrival.
 *
 * What a card was made with stands first or nowhere: where anything is told to have happened before it, the balance
 * before that is the card's opening. Sources date one thing by clocks that part by seconds, and an opening that stood
 * in between would take points away.
 * @param movements of one card, in any order
 * @param balance the card's balance before the first of them; null when nothing is known before
 */
export function sequenceByDefinition (movements: readonly Movement[], balance: bigint | null): Movement[] {
  const sorted = [...movements].sort(compareMovements).filter(({ kind }, index) => kind !== 'opening' || (index === 0 && balance === null))
  const ordered: Movement[] = []
  let running = balance
  for (let start = 0; start < sorted.length;) {
    let end = start + 1
    while (end < sorted.length && sorted[end]?.occurred_at === sorted[start]?.occurred_at) end++
    const opened = sorted[start]?.kind === 'opening' ? sorted.slice(start, ++start) : []
    for (const movement of opened) take(movement)
    const moment = sorted.slice(start, end)
    for (const movement of moment.length <= 1 ? moment : joinUp(moment, running)) take(movement)
    start = end
  }
  return ordered

  function take (movement: Movement): void {
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
function balanceBefore (movement: Movement): bigint | null {
  return movement.reported_balance === null ? null : movement.reported_balance - movement.points
}

/** Up to here every order of a moment can be tried: 2^12 sets of movements. */
const SEARCHED_MOVEMENTS = 12

/**
 * Settles a tie. A movement with a reported balance is an edge from the balance before it to the balance after it; the
 * true order is a trail through these edges. One without says only by how much, so it fits anywhere: where there are
 * such, and few, an order without a gap is searched for. Else the trails are walked; where one breaks, a movement
 * without a reported balance may bridge it; where nothing does, the order jumps, and the fold will show the jump as
 * unexplained.
 */
function joinUp (moment: readonly Movement[], balance: bigint | null): Movement[] {
  const silent = moment.filter(movement => movement.reported_balance === null)
  if (balance !== null && silent.length > 0 && moment.length <= SEARCHED_MOVEMENTS) {
    const gapless = searchGapless(moment, balance)
    if (gapless !== undefined) return gapless
  }
  const edges = new Edges(moment)
  const ordered: Movement[] = []
  let at = balance
  while (edges.left > 0) {
    if (at === null || !edges.leaves(at)) {
      const from = at
      const bridge = from === null ? -1 : silent.findIndex(movement => edges.leaves(from + movement.points))
      const [movement] = bridge === -1 ? [] : silent.splice(bridge, 1)
      if (movement !== undefined) {
        ordered.push(movement)
        at = (from ?? 0n) + movement.points
      } else {
        at = edges.start()
      }
    }
    const trail = edges.trail(at)
    for (const movement of trail) ordered.push(movement)
    at = trail.at(-1)?.reported_balance ?? at
  }
  return [...ordered, ...silent]
}

/**
 * The first order, by identity, in which every reported balance joins up. After a set of movements the balance is what
 * it is, so each set is tried once.
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

/** The unused reported movements of one moment, by the balance they leave from. */
class Edges {
  readonly #from = new Map<bigint, Movement[]>()
  /** For each balance, how much oftener it is left than reached. */
  readonly #surplus = new Map<bigint, number>()
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

  /**
   * Where a trail over the rest should begin: the smallest balance that is left more often than reached, else the
   * smallest.
   */
  start (): bigint {
    let source: bigint | undefined
    let least: bigint | undefined
    for (const [balance, movements] of this.#from) {
      if (movements.length === 0) {
        this.#from.delete(balance)
        continue
      }
      if (least === undefined || balance < least) least = balance
      if ((this.#surplus.get(balance) ?? 0) > 0 && (source === undefined || balance < source)) source = balance
    }
    return source ?? least ?? 0n
  }

  /**
   * Walks from a balance until stuck, then works the closed walks left aside into it (Hierholzer's way, in linear
   * time).
   */
  trail (start: bigint): Movement[] {
    let trail = this.#walk(start)
    for (let index = 0; index <= trail.length; index++) {
      const here = index === 0 ? start : trail[index - 1]?.reported_balance ?? start
      while (this.leaves(here)) {
        const detour = this.#walk(here)
        if (detour.at(-1)?.reported_balance !== here) {
          for (const movement of detour.reverse()) this.#put(movement.reported_balance as bigint - movement.points, movement, true)
          break
        }
        trail = [...trail.slice(0, index), ...detour, ...trail.slice(index)]
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
      this.#count(at, next, -1)
      walked.push(next)
      at += next.points
    }
  }

  #put (before: bigint, movement: Movement, inFront = false): void {
    const movements = this.#from.get(before) ?? []
    if (inFront) movements.unshift(movement)
    else movements.push(movement)
    this.#from.set(before, movements)
    this.#count(before, movement, 1)
  }

  #count (before: bigint, movement: Movement, sign: 1 | -1): void {
    const after = before + movement.points
    this.left += sign
    this.#surplus.set(before, (this.#surplus.get(before) ?? 0) + sign)
    this.#surplus.set(after, (this.#surplus.get(after) ?? 0) - sign)
  }
}

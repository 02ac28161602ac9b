import type { Movement } from './movements.ts'

/** A movement that states its balance: an edge from the balance before it to the balance after it. */
interface Edge { movement: Movement, from: Place, to: Place }

/** A balance that movements of one moment leave or reach. */
class Place {
  readonly balance: bigint
  /** The movements that leave from here, in order of identity; those before `next` are used. */
  readonly leaving: Edge[] = []
  next = 0
  /** How many more unused movements leave from here than reach it. */
  surplus = 0
  /** Another place of the same connected part; itself for the one place that stands for the part. */
  part: Place = this
  /** Of the place that stands for a part: how many more steps of detours may lead nowhere. */
  patience = 0

  constructor (balance: bigint) {
    this.balance = balance
  }
}

/**
 * How many steps of detours that lead nowhere are paid for by each movement of a connected part. Such detours exist
 * only where no order joins up, so that several orders are equally good. Up to 128 connected movements every detour is
 * tried; without a bound thousands of them, each with a long way to a dead end, would cost the square of their number.
 */
const PATIENCE = 256

/**
 * The unused movements with a reported balance of one moment, as a graph over balances. All trails together take
 * O(n log n) time.
 */
export class Trails {
  readonly #places = new Map<bigint, Place>()
  #ascending: Place[] | undefined
  #source = 0
  #least = 0
  left = 0

  /** @param moment the movements of one moment, in order of identity */
  constructor (moment: readonly Movement[]) {
    for (const movement of moment) {
      const after = movement.reported_balance
      if (after === null) continue
      const edge = { movement, from: this.#placeOf(after - movement.points), to: this.#placeOf(after) }
      edge.from.leaving.push(edge)
      edge.from.surplus++
      edge.to.surplus--
      connect(edge)
      this.left++
    }
  }

  /** True if an unused movement leaves from this balance. */
  leaves (balance: bigint): boolean {
    const place = this.#places.get(balance)
    return place !== undefined && isLeft(place)
  }

  /**
   * Where a trail over the rest should begin: the smallest balance that is left more often than reached, else the
   * smallest that is left. Balances that are passed over stay unfit: a trail lowers the surplus where it begins and
   * raises it only where it ends, and nothing leaves from there any more.
   */
  start (): bigint {
    const places = this.#ascending ??= [...this.#places.values()].filter(isLeft).sort((a, b) => a.balance < b.balance ? -1 : 1)
    this.#source = indexFrom(places, this.#source, place => isLeft(place) && place.surplus > 0)
    this.#least = indexFrom(places, this.#least, isLeft)
    return (places[this.#source] ?? places[this.#least])?.balance ?? 0n
  }

  /**
   * Walks from a balance until no movement leaves, then inserts the closed walks left aside (Hierholzer's algorithm).
   */
  trail (start: bigint): Movement[] {
    const trail: Movement[] = []
    let at = this.#placeOf(start)
    // The next movement comes last.
    const ahead = this.#walk(at).reverse()
    for (;;) {
      for (let detour = this.#detour(at); detour.length > 0; detour = this.#detour(at)) {
        for (const edge of detour.reverse()) ahead.push(edge)
      }
      const edge = ahead.pop()
      if (edge === undefined) return trail
      trail.push(edge.movement)
      at = edge.to
    }
  }

  /** Walks from a place and back to it; empty where the walk ends elsewhere, which is then undone. */
  #detour (place: Place): Edge[] {
    const part = partOf(place)
    if (!isLeft(place) || part.patience <= 0) return []
    const walked = this.#walk(place)
    if (walked.at(-1)?.to === place) return walked
    part.patience -= walked.length
    this.#undo(walked)
    return []
  }

  #walk (from: Place): Edge[] {
    const walked: Edge[] = []
    for (let at = from; ;) {
      const edge = at.leaving[at.next]
      if (edge === undefined) break
      at.next++
      walked.push(edge)
      at = edge.to
    }
    this.#count(walked, -1)
    return walked
  }

  #undo (walked: readonly Edge[]): void {
    for (const { from } of walked) from.next--
    this.#count(walked, 1)
  }

  /** A walk changes the surplus of its ends only. */
  #count (walked: readonly Edge[], sign: 1 | -1): void {
    const [first, last] = [walked[0], walked.at(-1)]
    if (first === undefined || last === undefined) return
    first.from.surplus += sign
    last.to.surplus -= sign
    this.left += sign * walked.length
  }

  #placeOf (balance: bigint): Place {
    let place = this.#places.get(balance)
    if (place === undefined) {
      place = new Place(balance)
      this.#places.set(balance, place)
    }
    return place
  }
}

function isLeft (place: Place): boolean {
  return place.next < place.leaving.length
}

/** The place that stands for a connected part (union-find with path halving). */
function partOf (place: Place): Place {
  while (place.part !== place) place = place.part = place.part.part
  return place
}

function connect ({ from, to }: Edge): void {
  const [joined, part] = [partOf(from), partOf(to)]
  if (joined !== part) {
    joined.part = part
    part.patience += joined.patience
  }
  part.patience += PATIENCE
}

function indexFrom (places: readonly Place[], from: number, fits: (place: Place) => boolean): number {
  for (let index = from; ; index++) {
    const place = places[index]
    if (place === undefined || fits(place)) return index
  }
}

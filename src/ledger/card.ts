import type { MovementKind } from './facts.ts'
import { groupBy } from './group-by.ts'
import { later, type Instant } from './instant.ts'
import { apart, SAME_MOMENT_MICROSECONDS, WINDOW_MICROSECONDS } from './instant-distance.ts'
import type { Movement } from './movements.ts'
import { balanceBefore } from './sequence.ts'
import { CROWD, settle } from './settle.ts'
import type { BalanceSnapshot } from './snapshots.ts'
import { compareText } from './text.ts'

/** One line of a card's statement: a movement, the opening, or unexplained points. */
export interface StatementLine {
  movement_id: string
  kind: MovementKind | 'unexplained'
  /** Signed. */
  points: bigint
  /** The running balance after the line. */
  balance: bigint
  /** The provider's figure for the balance after it. */
  reported_balance: bigint | null
  /** True: that figure is of a snapshot dated at the movement, which itself states none. */
  observed: boolean
  occurred_at: Instant
  /** The time that its events state, where its balance puts it at another one. */
  dated_at: Instant | null
  /** Whether its time is that of the change itself, and not that of a trigger or of a send-out. */
  exact: boolean
  recorded_at: Instant
  /** Rank among the card's lines with the same `occurred_at`, from 0. */
  ordinal: number
  order_id: string | null
  earning_rule_id: string | null
  event_id: string | null
}

/**
 * The sums of a card. `opening`, `adjusted`, `transferred` and `unexplained` are signed, the others are magnitudes:
 * balance = opening + earned + refunded − spent − expired + adjusted + transferred + unexplained.
 */
export interface Sums {
  opening: bigint
  earned: bigint
  spent: bigint
  refunded: bigint
  expired: bigint
  adjusted: bigint
  transferred: bigint
  unexplained: bigint
}

export const NO_SUMS: Sums = Object.freeze({
  opening: 0n, earned: 0n, spent: 0n, refunded: 0n, expired: 0n, adjusted: 0n, transferred: 0n, unexplained: 0n
})

/** The result of folding a contiguous part of a card's history. */
export interface Folded {
  lines: StatementLine[]
  /** What these lines add to the card's sums. */
  sums: Sums
  /** The running balance after the last line. */
  balance: bigint
  /** The newest time at which the provider's own figure for the balance is known; null where it stated none. */
  balance_stated_at: Instant | null
  /** True: all balances join up, nothing was moved in time and no snapshot was set aside. */
  even: boolean
}

/** What a fold needs beside the movements. */
export interface FoldContext {
  /** The balances that the card was seen with since then. */
  snapshots?: readonly BalanceSnapshot[]
  /** The card's lines right before the movements, oldest first: those within the window, at most CROWD of them. */
  earlier?: readonly StatementLine[]
  /**
   * The balance before the movements by movements alone, without what snapshots show: it decides their order, as in the
   * fold of the whole history. Null where no movement states one yet; absent: the same as the balance.
   */
  joined?: bigint | null
}

/**
 * Folds movements and balance snapshots of a card into statement lines and sums (docs/architecture.md, The fold). It is
 * the only fold of a card: a second one for another purpose would drift. What the card held before its first movement
 * is its opening balance: by the first balance that is stated, less what moved until then. Where a later stated balance
 * differs from the running balance, the difference becomes an unexplained line, and the running balance continues from
 * the provider's figure.
 *
 * A snapshot is a weaker source: it counts only where no balance stated at the same time or later says otherwise. Then,
 * where it differs from the running balance, the difference is an unexplained line at its time.
 * @param movements of one card, in any order
 * @param balance the card's balance before them; null when they are the card's first movements
 */
export function foldCard (movements: readonly Movement[], balance: bigint | null, { snapshots = [], earlier = [], joined = balance }: FoldContext = {}): Folded {
  const ordered = settle(movements, joined, earlier.filter(({ kind }) => kind !== 'unexplained'))
  const stated = statedBefore(ordered)
  const seen = [...groupBy([...snapshots].sort(compareSnapshots), ({ occurred_at }) => occurred_at).values()]
  const folded: Folded = { lines: [], sums: { ...NO_SUMS }, balance: balance ?? 0n, balance_stated_at: null, even: true }
  if (balance === null) folded.sums.opening = folded.balance = openingBalance(movements, ordered, stated, seen)
  let next = 0
  for (const [index, movement] of ordered.entries()) {
    for (; (seen[next]?.[0]?.occurred_at ?? movement.occurred_at) < movement.occurred_at; next++) observe(seen[next] ?? [], index)
    const before = balanceBefore(movement)
    if (before !== null && before !== folded.balance) {
      folded.even = false
      push(folded, unexplainedBefore(movement, before - folded.balance))
    }
    if (movement.dated_at !== null) folded.even = false
    if (movement.reported_balance !== null) stateAt(folded, movement.occurred_at)
    push(folded, movement)
  }
  for (; next < seen.length; next++) observe(seen[next] ?? [], ordered.length)
  return folded

  /** Of several snapshots of one time one counts: one that fits, else one that the next stated balance agrees with. */
  function observe (ofOneTime: readonly BalanceSnapshot[], index: number): void {
    const implied = stated[index]
    const lines = [...earlier, ...folded.lines]
    const fitting = ofOneTime.find(snapshot => snapshot.balance === folded.balance || fitsNearby(snapshot, lines, ordered, index))
    const snapshot = fitting ?? ofOneTime.find(({ balance }) => balance === implied) ?? ofOneTime[0]
    if (snapshot === undefined) return
    if (fitting === undefined) {
      folded.even = false
      if (implied !== undefined && implied !== snapshot.balance) return
      push(folded, unexplainedBy(snapshot, snapshot.balance - folded.balance))
    }
    stateAt(folded, snapshot.occurred_at)
  }
}

/** For each movement, the balance before it by the first stated balance from there on; undefined where none follows. */
function statedBefore (ordered: readonly Movement[]): Array<bigint | undefined> {
  const stated = new Array<bigint | undefined>(ordered.length + 1)
  for (let index = ordered.length - 1; index >= 0; index--) {
    const { points, reported_balance } = ordered[index] as Movement
    const after = reported_balance ?? stated[index + 1]
    stated[index] = after === undefined ? undefined : after - points
  }
  return stated
}

/**
 * What a card held before its first movement. A movement can be dated before the card was created: the amount it was
 * created with is still its opening balance, unless that earlier movement implies another one.
 */
function openingBalance (
  movements: readonly Movement[], ordered: readonly Movement[], stated: ReadonlyArray<bigint | undefined>, seen: ReadonlyArray<readonly BalanceSnapshot[]>
): bigint {
  const [first] = ordered
  if (first?.kind === 'opening') return 0n
  const made = movements.find(({ kind }) => kind === 'opening')
  if (made !== undefined) return (first === undefined ? null : balanceBefore(first)) ?? made.points
  if (stated[0] !== undefined) return stated[0]
  const [snapshot] = seen[0] ?? []
  if (snapshot === undefined) return 0n
  return ordered.reduce((balance, { occurred_at, points }) => occurred_at <= snapshot.occurred_at ? balance - points : balance, snapshot.balance)
}

function compareSnapshots (a: BalanceSnapshot, b: BalanceSnapshot): number {
  return compareText(a.occurred_at, b.occurred_at) || (a.balance < b.balance ? -1 : a.balance > b.balance ? 1 : 0)
}

function stateAt (folded: Folded, at: Instant): void {
  folded.balance_stated_at = later(folded.balance_stated_at, at)
}

/**
 * True if a snapshot shows the balance that the card had right before or after a movement whose time is not known
 * exactly enough to know on which side of the snapshot it was.
 * @param lines before the snapshot, oldest first
 * @param index of the first movement after it
 */
export function fitsNearby (snapshot: BalanceSnapshot, lines: readonly StatementLine[], ordered: ReadonlyArray<Crossed & Pick<Movement, 'points' | 'reported_balance'>>, index: number): boolean {
  for (let back = lines.length - 1; back >= Math.max(0, lines.length - CROWD); back--) {
    const line = lines[back] as StatementLine
    if (line.kind === 'opening' || !mayCross(snapshot, line)) break
    if (line.balance - line.points === snapshot.balance) return true
  }
  let balance = lines.at(-1)?.balance ?? null
  for (let ahead = index; ahead < Math.min(ordered.length, index + CROWD); ahead++) {
    const movement = ordered[ahead] as typeof ordered[number]
    if (!mayCross(snapshot, movement)) break
    balance = movement.reported_balance ?? (balance === null ? null : balance + movement.points)
    if (balance === snapshot.balance) return true
  }
  return false
}

type Crossed = Pick<StatementLine, 'exact' | 'occurred_at' | 'dated_at'>

function mayCross (snapshot: BalanceSnapshot, { exact, occurred_at, dated_at }: Crossed): boolean {
  return apart(snapshot.occurred_at, dated_at ?? occurred_at) <= (exact ? SAME_MOMENT_MICROSECONDS : WINDOW_MICROSECONDS)
}

/** The balance that the sums add up to. */
export function balanceOf (sums: Sums): bigint {
  return sums.opening + sums.earned + sums.refunded - sums.spent - sums.expired +
    sums.adjusted + sums.transferred + sums.unexplained
}

/** Adds what a line contributes to the sums, or subtracts it when `sign` is −1n. Changes `sums` in place. */
export function addToSums (sums: Sums, kind: StatementLine['kind'], points: bigint, sign: 1n | -1n = 1n): void {
  const signed = sign * points
  switch (kind) {
    case 'opening': sums.opening += signed; break
    case 'accrual': sums.earned += signed; break
    case 'redemption': sums.spent -= signed; break
    case 'refund': sums.refunded += signed; break
    case 'expiration': sums.expired -= signed; break
    case 'addition': case 'removal': sums.adjusted += signed; break
    case 'transfer_in': case 'transfer_out': sums.transferred += signed; break
    case 'unexplained': sums.unexplained += signed; break
    default: kind satisfies never
  }
}

/** True unless the line is an opening or unexplained: the provider calls neither of them a movement. */
export function isMovement ({ kind }: Pick<StatementLine, 'kind'>): boolean {
  return kind !== 'unexplained' && kind !== 'opening'
}

/** The movement that a line was folded from; undefined for an unexplained line, which the fold derives again. */
export function movementOf ({ ordinal: _, balance: __, ...line }: StatementLine & { card_id: string }): Movement | undefined {
  return line.kind === 'unexplained' ? undefined : { ...line as Movement, occurred_at: line.dated_at ?? line.occurred_at, dated_at: null }
}

type Entry = Omit<StatementLine, 'balance' | 'ordinal'>

function push (folded: Folded, entry: Entry): void {
  const last = folded.lines.at(-1)
  folded.balance += entry.points
  addToSums(folded.sums, entry.kind, entry.points)
  folded.lines.push({
    movement_id: entry.movement_id,
    kind: entry.kind,
    points: entry.points,
    balance: folded.balance,
    reported_balance: entry.reported_balance,
    observed: entry.observed,
    occurred_at: entry.occurred_at,
    dated_at: entry.dated_at,
    exact: entry.exact,
    recorded_at: entry.recorded_at,
    ordinal: last?.occurred_at === entry.occurred_at ? last.ordinal + 1 : 0,
    order_id: entry.order_id,
    earning_rule_id: entry.earning_rule_id,
    event_id: entry.event_id
  })
}

function unexplainedBefore (movement: Movement, points: bigint): Entry {
  return {
    movement_id: `${UNEXPLAINED}${movement.movement_id}`,
    kind: 'unexplained',
    points,
    reported_balance: balanceBefore(movement),
    observed: movement.observed,
    occurred_at: movement.occurred_at,
    dated_at: movement.dated_at,
    exact: movement.exact,
    recorded_at: movement.recorded_at,
    order_id: null,
    earning_rule_id: null,
    event_id: movement.event_id
  }
}

function unexplainedBy ({ occurred_at, recorded_at, balance }: BalanceSnapshot, points: bigint): Entry {
  return {
    movement_id: `${UNEXPLAINED}${SNAPSHOT}${occurred_at}`,
    kind: 'unexplained',
    points,
    reported_balance: balance,
    observed: true,
    occurred_at,
    dated_at: null,
    exact: true,
    recorded_at,
    order_id: null,
    earning_rule_id: null,
    event_id: null
  }
}

const UNEXPLAINED = 'unexplained:'
const SNAPSHOT = 'snapshot:'

/** What revealed an unexplained line: the movement after it, or a snapshot at its time. */
export function revealedBy (line: Pick<StatementLine, 'movement_id'>): { movement_id: string } | { snapshot_at: Instant } {
  const named = line.movement_id.slice(UNEXPLAINED.length)
  return named.startsWith(SNAPSHOT) ? { snapshot_at: named.slice(SNAPSHOT.length) as Instant } : { movement_id: named }
}

/**
 * True if the balance after some last lines is that of the movements alone: since the last one that states its balance,
 * no snapshot has made a line.
 * @param lines oldest first
 */
export function isJoined (lines: readonly StatementLine[]): boolean {
  const stated = lines.findLastIndex(({ kind, reported_balance }) => kind !== 'unexplained' && reported_balance !== null)
  return stated !== -1 && lines.slice(stated).every(({ kind }) => kind !== 'unexplained')
}

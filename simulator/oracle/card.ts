import type { LotFact, MovementFact, SnapshotFact } from '../facts.ts'
import { grouped } from './grouped.ts'
import { compare, merged, type MergedMovement } from './movements.ts'
import { settled, WINDOW } from './settled.ts'
import { beforeOf } from './sequence.ts'
import { microsBetween } from './times.ts'

export interface ExpectedLine extends Omit<MergedMovement, 'kind'> {
  kind: string
  balance: number
}

export interface ExpectedSums {
  balance: number
  opening: number
  earned: number
  spent: number
  refunded: number
  expired: number
  adjusted: number
  transferred: number
  unexplained: number
}

export interface ExpectedHistory { lines: ExpectedLine[], sums: ExpectedSums, balance_stated_at: string | null }

type Seen = SnapshotFact & { balance: number }

/** Folds a card from its first movement: lines, oldest first, sums, and since when its balance is stated. */
export function foldFromScratch (observations: readonly MovementFact[], snapshots: readonly SnapshotFact[]): ExpectedHistory {
  const byMovement = grouped(observations, observation => observation.movement_id)
  const movements = settled([...byMovement.values()].map(merged).filter(movement => movement !== undefined))
  const seen = distinct(snapshots.filter((snapshot): snapshot is Seen => snapshot.balance !== null))
  const opening = openingOf(movements, seen)
  const lines: ExpectedLine[] = []
  let running = opening
  let stated: string | null = null
  const state = (at: string): void => { if (stated === null || at > stated) stated = at }
  const events = [...movements.map((movement, index) => ({ at: movement.occurred_at, movement, index })), ...[...grouped(seen, ({ at }) => at)].map(([at, sameTime]) => ({ at, sameTime }))]
  // A stable sort: movements keep their order, and a snapshot follows the movements of its time.
  events.sort((a, b) => compare(a.at, b.at) || Number('sameTime' in a) - Number('sameTime' in b))
  let passed = 0
  for (const event of events) {
    if ('movement' in event) {
      const { movement } = event
      const before = beforeOf(movement)
      if (before !== undefined && before !== running) {
        lines.push(unexplained(movement, before, before - running))
        running = before
      }
      running += movement.points
      lines.push({ ...movement, balance: running })
      if (movement.reported_balance !== null) state(movement.occurred_at)
      passed = event.index + 1
      continue
    }
    const { sameTime: [first, ...others] } = event
    const ahead = movements.slice(passed)
    const later = balanceBeforeFirst(ahead)
    const shown = [first!, ...others]
    const fitting = shown.find(one => one.balance === running || fits(one, lines, ahead, running))
    const snapshot = fitting ?? shown.find(one => one.balance === later) ?? first!
    if (fitting === undefined) {
      if (later !== undefined && later !== snapshot.balance) continue
      lines.push(unexplainedAt(snapshot, snapshot.balance - running, keysOf(snapshots, snapshot)))
      running = snapshot.balance
    }
    state(snapshot.at)
  }
  return { lines, sums: { ...sumsOf(lines, opening), balance: running }, balance_stated_at: stated }
}

/** The same figure as of the same time counts once. */
function distinct (seen: readonly Seen[]): Seen[] {
  return [...new Map(seen.map(snapshot => [`${snapshot.at} ${snapshot.balance}`, snapshot])).values()]
    .sort((a, b) => compare(a.at, b.at) || a.balance - b.balance)
}

/** The balance before some movements, by the first of them that states one. */
function balanceBeforeFirst (movements: readonly MergedMovement[]): number | undefined {
  const index = movements.findIndex(movement => beforeOf(movement) !== undefined)
  if (index === -1) return undefined
  return movements.slice(0, index).reduce((balance, { points }) => balance - points, beforeOf(movements[index]!)!)
}

/** What the card held before everything that is known of it. Movements without the opening have none in `movements`. */
function openingOf (movements: ReturnType<typeof settled>, seen: readonly Seen[]): number {
  if (movements[0]?.kind === 'opening') return 0
  const { made } = movements
  if (made !== undefined) return (movements[0] === undefined ? undefined : beforeOf(movements[0])) ?? made
  const stated = balanceBeforeFirst(movements)
  if (stated !== undefined) return stated
  const [first] = seen
  return first === undefined ? 0 : first.balance - movements.filter(({ occurred_at }) => occurred_at <= first.at).reduce((sum, { points }) => sum + points, 0)
}

/** Is it the balance before or after a movement that may as well have been on the other side of the snapshot? */
function fits (snapshot: Seen, lines: readonly ExpectedLine[], ahead: readonly MergedMovement[], running: number): boolean {
  const near = ({ exact, occurred_at, dated_at }: Pick<MergedMovement, 'exact' | 'occurred_at' | 'dated_at'>): boolean =>
    microsBetween(snapshot.at, dated_at ?? occurred_at) <= (exact ? 100_000 : WINDOW)
  for (const line of [...lines].reverse()) {
    if (line.kind === 'opening' || !near(line)) break
    if (line.balance - line.points === snapshot.balance) return true
  }
  let balance = running
  for (const movement of ahead) {
    if (!near(movement)) break
    balance = movement.reported_balance ?? balance + movement.points
    if (balance === snapshot.balance) return true
  }
  return false
}

function unexplained (movement: MergedMovement, before: number, points: number): ExpectedLine {
  return {
    ...movement,
    movement_id: `unexplained:${movement.movement_id}`,
    kind: 'unexplained',
    points,
    balance: before,
    reported_balance: before,
    order_id: null,
    earning_rule_id: null
  }
}

/** The keys of all events that show the same. */
function keysOf (snapshots: readonly SnapshotFact[], { at, balance }: Seen): string[] {
  const same = snapshots.filter(other => other.at === at && other.balance === balance)
  return [...new Set(same.flatMap(({ observed_in }) => observed_in === undefined ? [] : [observed_in.key]))].sort()
}

function unexplainedAt ({ at, balance }: Seen, points: number, observed_in: string[]): ExpectedLine {
  return {
    movement_id: `unexplained:snapshot:${at}`,
    kind: 'unexplained',
    points,
    balance,
    reported_balance: balance,
    observed: true,
    occurred_at: at,
    dated_at: null,
    exact: true,
    order_id: null,
    earning_rule_id: null,
    event_id: undefined,
    observed_in
  }
}

function sumsOf (lines: readonly ExpectedLine[], openedWith: number): Omit<ExpectedSums, 'balance'> {
  const total = (...kinds: string[]): number => lines.filter(line => kinds.includes(line.kind)).reduce((sum, line) => sum + line.points, 0)
  return {
    opening: openedWith + total('opening'),
    earned: total('accrual'),
    // Never −0, which differs from 0 when compared.
    spent: 0 - total('redemption'),
    refunded: total('refund'),
    expired: 0 - total('expiration'),
    adjusted: total('addition', 'removal'),
    transferred: total('transfer_in', 'transfer_out'),
    unexplained: total('unexplained')
  }
}

/**
 * A card's pending points: what is outstanding in its lots, and what the newest total shows beyond the lots of its
 * time. Of the times within the window around it, that counts at which the lots fit it best.
 */
export function pendingOf (observations: readonly LotFact[], snapshots: readonly SnapshotFact[]): { pending: number, pending_unexplained: number } {
  const lots = [...grouped(observations, observation => observation.lot_id).values()]
  const sumAt = (at: string): number => lots.reduce((sum, lot) => sum + outstanding(lot.filter(state => state.at <= at)), 0)
  const now = sumAt('~')
  const totals = snapshots.filter(({ pending }) => pending !== null).sort((a, b) => compare(b.at, a.at))
  const [newest] = totals
  if (newest === undefined) return { pending: now, pending_unexplained: 0 }
  const cuts = [newest.at, ...observations.map(({ at }) => at).filter(at => microsBetween(at, newest.at) <= WINDOW)]
  const gaps = cuts.flatMap(cut => totals.filter(({ at }) => at === newest.at).map(({ pending }) => ({ gap: pending! - sumAt(cut), away: microsBetween(cut, newest.at), cut })))
  gaps.sort((a, b) => Math.abs(a.gap) - Math.abs(b.gap) || a.away - b.away || compare(a.cut, b.cut) || a.gap - b.gap)
  const { gap } = gaps[0]!
  return { pending: now + gap, pending_unexplained: gap }
}

function outstanding (lot: readonly LotFact[]): number {
  if (lot.some(({ state }) => state === 'activated' || state === 'canceled')) return 0
  const rank = ({ state }: LotFact): number => state === 'updated' ? 1 : 0
  const newest = [...lot].sort((a, b) => compare(b.at, a.at) || rank(b) - rank(a) || b.points - a.points)[0]
  return newest?.points ?? 0
}

import type { LotFact, MovementFact } from '../facts.ts'
import { grouped } from './grouped.ts'
import { compare, merged, type MergedMovement } from './movements.ts'
import { beforeOf, inOrder } from './sequence.ts'

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

/** Folds a card from its first movement: lines, oldest first, and sums. */
export function foldFromScratch (observations: readonly MovementFact[]): { lines: ExpectedLine[], sums: ExpectedSums } {
  const byMovement = grouped(observations, observation => observation.movement_id)
  const movements = [...byMovement.values()].map(merged).filter(movement => movement !== undefined)
  const lines: ExpectedLine[] = []
  let opening = 0
  let running: number | undefined
  for (const movement of inOrder(movements)) {
    const before = beforeOf(movement)
    if (running === undefined) {
      opening = running = before ?? 0
    } else if (before !== undefined && before !== running) {
      lines.push(unexplained(movement, before, before - running))
      running = before
    }
    running += movement.points
    lines.push({ ...movement, balance: running })
  }
  return { lines, sums: sumsOf(lines, opening) }
}

function unexplained (movement: MergedMovement, before: number, points: number): ExpectedLine {
  return {
    movement_id: `unexplained:${movement.movement_id}`,
    kind: 'unexplained',
    points,
    balance: before,
    reported_balance: before,
    occurred_at: movement.occurred_at,
    order_id: null,
    earning_rule_id: null,
    event_id: movement.event_id,
    observed_in: movement.observed_in
  }
}

function sumsOf (lines: readonly ExpectedLine[], openedWith: number): ExpectedSums {
  const total = (...kinds: string[]): number => lines.filter(line => kinds.includes(line.kind)).reduce((sum, line) => sum + line.points, 0)
  return {
    balance: lines.at(-1)?.balance ?? 0,
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

/** A card's pending points: the sum of what is outstanding in its lots. */
export function pendingOf (observations: readonly LotFact[]): number {
  return [...grouped(observations, observation => observation.lot_id).values()].reduce((sum, lot) => sum + outstanding(lot), 0)
}

function outstanding (lot: readonly LotFact[]): number {
  if (lot.some(({ state }) => state === 'activated' || state === 'canceled')) return 0
  const rank = ({ state }: LotFact): number => state === 'updated' ? 1 : 0
  const newest = [...lot].sort((a, b) => compare(b.at, a.at) || rank(b) - rank(a) || b.points - a.points)[0]
  return newest?.points ?? 0
}

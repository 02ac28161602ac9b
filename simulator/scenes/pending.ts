import { SECOND } from '../clock.ts'
import { awardKey } from '../keys.ts'
import type { Card, Lot, OrderState, Rule, Trigger } from '../model.ts'
import { activationDay, activationEvent, misnamedActivation, pendingEvent, pendingObject, type PendingPoints } from '../payloads/pending.ts'
import type { Row } from '../payloads/transaction.ts'
import { between, move, type Scene, type Stage } from '../stage.ts'
import { awardDetails, tellRow } from './rows.ts'

const CHANNELS = ['project', 'distribution'] as const

/** Points of an award that cannot be spent yet. */
export function addLot (stage: Stage, card: Card, earned: { order: OrderState, rule: Rule, trigger: Trigger, points: number }): void {
  const { order, rule, trigger, points } = earned
  const lot: Lot = { id: stage.mint('lopp'), rule, order, trigger, created_at: stage.now + between(stage.random, 0.01, 1), points }
  card.lots.push(lot)
  shift(card, points)
  const pending = pendingOf(stage, card, lot)
  for (const channel of CHANNELS) stage.tell(pendingEvent(stage.stamp(), pending, 'added', points, channel))
}

/** Another amount, for instance after a return of a part. */
export const updateLot: Scene = stage => withLot(stage, (card, lot) => {
  const before = lot.points
  lot.points = before + stage.random.integer(1, 50) * (before > 50 && stage.random.chance(0.5) ? -1 : 1)
  shift(card, lot.points - before)
  const pending = pendingOf(stage, card, lot, stage.now)
  for (const channel of CHANNELS) stage.tell(pendingEvent(stage.stamp(), pending, 'updated', lot.points - before, channel))
})

export const cancelLot: Scene = stage => withLot(stage, (card, lot) => {
  remove(card, lot)
  const pending = pendingOf(stage, card, lot, stage.now)
  for (const channel of CHANNELS) stage.tell(pendingEvent(stage.stamp(), pending, 'canceled', -lot.points, channel))
})

/** The lot becomes the award it was: the same trigger, rule and card, now available. */
export const activateLot: Scene = stage => withLot(stage, (card, lot) => {
  const { random } = stage
  remove(card, lot)
  const { points, order, rule, trigger } = lot
  const at = stage.now + between(random, 0.01, 2)
  const movement_id = awardKey(trigger.id, rule.id, card.now.id)
  const after = move(card, { movement_id, kind: 'accrual', points, at })
  const pending: PendingPoints = { ...pendingOf(stage, card, lot, stage.now), card: after }
  // Either form names the award: its own details, or those of the lot inside.
  const details = random.chance(0.5) ? awardDetails(order, rule, trigger) : { order: { id: order.id, source_id: order.source_id } }
  const row: Row = {
    id: stage.mint('vtx'),
    movement_id,
    kind: 'accrual',
    type: random.pick(['POINTS_ACCRUAL', 'PENDING_POINTS_ACTIVATION']),
    card: after,
    points,
    at,
    details: { ...details, pending_points: pendingObject(pending) },
    order,
    rule_id: rule.id,
    lot: { id: lot.id, activates_on: activationDay(lot, after) },
    balance_beside: false
  }
  for (const channel of CHANNELS) stage.tell(activationEvent(stage.stamp(), pending, row, channel))
  tellRow(stage, card, row)
  if (random.chance(0.3)) {
    stage.tell(misnamedActivation(stage.stamp(6 * SECOND), pending, random.chance(0.7) ? points : -points, 'distribution'))
  }
})

function withLot (stage: Stage, play: (card: Card, lot: Lot) => void): boolean {
  const { random, world } = stage
  for (let attempt = 0; attempt < 10 && world.cards.length > 0; attempt++) {
    const card = random.pick(world.cards)
    if (card.deleted || card.now.holder === undefined || card.lots.length === 0) continue
    play(card, random.pick(card.lots))
    return true
  }
  return false
}

function pendingOf (stage: Stage, card: Card, lot: Lot, updated_at?: number): PendingPoints {
  // A copy: the lot goes on changing, and what was told of it does not.
  const told = { lot: { ...lot }, points: lot.points, card: card.now, holder: stage.random.chance(0.7) }
  return updated_at === undefined ? told : { ...told, updated_at }
}

function shift (card: Card, points: number): void {
  card.now = { ...card.now, pending: card.now.pending + points }
}

function remove (card: Card, lot: Lot): void {
  card.lots.splice(card.lots.indexOf(lot), 1)
  shift(card, -lot.points)
}

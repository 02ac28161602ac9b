import { SECOND, type Micros } from '../clock.ts'
import { awardKey } from '../keys.ts'
import type { Card, Lot, OrderState, Rule, Trigger, Row } from '../model.ts'
import { activationDay, activationEvent, misnamedActivation, pendingEvent, pendingObject, type PendingPoints } from '../payloads/pending.ts'
import { between, laterThan, move, type Scene, type Stage } from '../stage.ts'
import { awardDetails, recordRow } from './record-row.ts'

const CHANNELS = ['project', 'distribution'] as const

/** An award whose points cannot be spent yet. */
export function addLot (stage: Stage, card: Card, earned: { order: OrderState, rule: Rule, trigger: Trigger, points: number }): void {
  const { order, rule, trigger, points } = earned
  const lot: Lot = { id: stage.mint('lopp'), rule, order, trigger, created_at: stage.now + between(stage.random, 0.01, 1), points }
  card.lots.push(lot)
  shift(card, points, lot.created_at)
  const pending = pendingOf(stage, card, lot)
  for (const channel of CHANNELS) stage.emit(pendingEvent(stage.stamp(), pending, 'added', points, channel))
}

/** Changes the points of a lot, for instance after a partial return. */
export const updateLot: Scene = stage => withLot(stage, (card, lot) => {
  const before = lot.points
  lot.points = before + stage.random.integer(1, 50) * (before > 50 && stage.random.chance(0.5) ? -1 : 1)
  lot.updated_at = stage.now
  shift(card, lot.points - before, stage.now)
  const pending = pendingOf(stage, card, lot, stage.now)
  for (const channel of CHANNELS) stage.emit(pendingEvent(stage.stamp(), pending, 'updated', lot.points - before, channel))
})

export const cancelLot: Scene = stage => withLot(stage, (card, lot) => {
  remove(card, lot, stage.now)
  const pending = pendingOf(stage, card, lot, stage.now)
  for (const channel of CHANNELS) stage.emit(pendingEvent(stage.stamp(), pending, 'canceled', -lot.points, channel))
})

/** The points of a lot become available: an award with the lot's trigger, rule and card. */
export const activateLot: Scene = stage => withLot(stage, (card, lot) => {
  const { random } = stage
  remove(card, lot, stage.now)
  const { points, order, rule, trigger } = lot
  const at = stage.now + between(random, 0.01, 2)
  const movement_id = awardKey(trigger.id, rule.id, card.now.id)
  const after = move(card, { movement_id, kind: 'accrual', points, at })
  const pending: PendingPoints = { ...pendingOf(stage, card, lot, stage.now), card: after }
  // Either form identifies the award: the row's own details, or those of the lot in it.
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
  for (const channel of CHANNELS) stage.emit(activationEvent(stage.stamp(), pending, row, channel))
  recordRow(stage, card, row)
  if (random.chance(0.3)) {
    stage.emit(misnamedActivation(stage.stamp(6 * SECOND), pending, random.chance(0.7) ? points : -points, 'distribution'))
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
  // A copy: the lot changes later, and events already made must not.
  const state = { lot: { ...lot }, points: lot.points, card: card.now, holder: stage.random.chance(0.7) }
  return updated_at === undefined ? state : { ...state, updated_at }
}

function shift (card: Card, points: number, at: Micros): void {
  card.now = { ...card.now, pending: card.now.pending + points, updated_at: laterThan(card.now.updated_at, at) }
}

function remove (card: Card, lot: Lot, at: Micros): void {
  card.lots.splice(card.lots.indexOf(lot), 1)
  shift(card, -lot.points, at)
}

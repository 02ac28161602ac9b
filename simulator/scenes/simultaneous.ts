import { SECOND } from '../clock.ts'
import { awardKey, spendKey, transactionKey } from '../keys.ts'
import type { Card, OrderState, Profile, Row, Trigger } from '../model.ts'
import { awardEvent } from '../payloads/award.ts'
import { redemptionEvent } from '../payloads/redemption.ts'
import type { Redemption } from '../payloads/redemption-parts.ts'
import { pointsAddedEvent } from '../payloads/transaction.ts'
import { between, liveCards, move, type Scene, type Stage } from '../stage.ts'
import { draftOrder } from './orders.ts'
import { awardDetails, recordRow } from './record-row.ts'

/**
 * Three movements of the same time, one of them a spend whose balance no event states. Only the balances of the other
 * two say where it belongs: between them, or before both, where it is given back at once.
 */
export const spendSimultaneously: Scene = stage => {
  const { random } = stage
  const cards = liveCards(stage, 1)
  if (cards.length === 0) return false
  const card = random.pick(cards)
  const at = stage.now + between(random, 0.01, 0.3)
  const spent = random.integer(1, card.now.balance)
  if (random.chance(0.5)) {
    // Not the number spent, or the two could change places.
    add(stage, card, spent + random.integer(1, 50), at)
    spendWithoutRow(stage, card, spent, at, true)
  } else {
    spendWithoutRow(stage, card, spent, at, true)
    add(stage, card, spent, at)
  }
  add(stage, card, spent + random.integer(51, 90), at)
  return true
}

/**
 * An order earns points, and they are spent before the award's event is sent. By the time of that event the spend would
 * come first: only the balances say that it did not.
 */
export const spendAtOnce: Scene = stage => {
  const { random, mint } = stage
  const cards = liveCards(stage)
  if (cards.length === 0) return false
  const card = random.pick(cards)
  const customer = card.now.holder as Profile
  const rule = random.pick(card.now.campaign.rules)
  const points = random.integer(1, 90)
  const trigger: Trigger = { ...stage.stamp(0), customer_id: customer.id }
  const order: OrderState = { ...draftOrder(stage, customer), status: 'PAID' }
  const movement_id = awardKey(trigger.id, rule.id, card.now.id)
  const at = stage.now + between(random, 0.5, 2)
  const shown = card.now
  const after = move(card, { movement_id, kind: 'accrual', points, at })
  stage.emit(awardEvent({ stamp: stage.stamp(6 * SECOND), card: after, shown, customer, rule, trigger, order, points }))
  const details = awardDetails(order, rule, trigger)
  recordRow(stage, card, { id: mint('vtx'), movement_id, kind: 'accrual', type: 'POINTS_ACCRUAL', card: after, points, at, details, order, rule_id: rule.id, balance_beside: false })
  spendWithoutRow(stage, card, random.integer(1, card.now.balance), at + between(random, 0.1, 2), random.chance(0.5))
  return true
}

/** A spend whose row is never sent; only an export contains it. */
function spendWithoutRow (stage: Stage, card: Card, points: number, at: number, undated: boolean): void {
  const { mint } = stage
  const id = mint('r')
  const movement_id = spendKey(id, card.now.id)
  const after = move(card, { movement_id, kind: 'redemption', points: -points, at })
  const redemption: Redemption = { id, card: after, points, at, order_in_full: false, undated }
  card.rows.push({ id: mint('vtx'), movement_id, kind: 'redemption', type: 'POINTS_REDEMPTION', card: after, points: -points, at, details: { redemption: { id } }, balance_beside: false })
  stage.emit(redemptionEvent(stage.stamp(), redemption, 'project'), redemptionEvent(stage.stamp(), redemption, 'distribution'))
}

function add (stage: Stage, card: Card, points: number, at: number): void {
  const id = stage.mint('vtx')
  const movement_id = transactionKey(id)
  const after = move(card, { movement_id, kind: 'addition', points, at })
  const row: Row = { id, movement_id, kind: 'addition', type: 'POINTS_ADDITION', card: after, points, at, details: {}, reason: 'goodwill', balance_beside: false }
  stage.emit(pointsAddedEvent(stage.stamp(), row, { channel: 'project', holder: true }))
  recordRow(stage, card, row)
}

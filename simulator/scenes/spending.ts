import { refundKey, spendKey } from '../keys.ts'
import type { Card } from '../model.ts'
import { discountRedemptionEvent, failedRedemptionEvent, redemptionEvent, stackRedemptionEvent } from '../payloads/redemption.ts'
import { rewardedEvent, rewardRedemptionEvent } from '../payloads/reward.ts'
import type { Redemption } from '../payloads/redemption-parts.ts'
import { between, liveCards, liveCustomers, move, type Scene, type Stage } from '../stage.ts'
import { recordRow } from './record-row.ts'

/** A customer spends points, sometimes on an order. */
export const spend: Scene = stage => {
  const { random } = stage
  const cards = liveCards(stage, 1)
  if (cards.length === 0) return false
  const card = random.pick(cards)
  const own = stage.world.orders.slice(-50).filter(order => order.customer.cards.includes(card))
  const order = own.length > 0 && random.chance(0.4) ? random.pick(own).now : undefined
  play(stage, card, { points: random.integer(1, card.now.balance), order_in_full: random.chance(0.5), ...(order === undefined ? {} : { order }) })
  return true
}

/** A customer spends points on a reward, at its price or at another one. */
export const spendOnReward: Scene = stage => {
  const { random } = stage
  const cards = liveCards(stage, 1).filter(card => card.now.balance >= card.now.campaign.reward.points)
  if (cards.length === 0) return false
  const card = random.pick(cards)
  const { reward } = card.now.campaign
  const points = random.chance(0.6) ? reward.points : random.integer(1, Math.min(card.now.balance, reward.points * 2))
  const redemption = play(stage, card, { points, order_in_full: false, reward })
  const priced = random.chance(0.8)
  stage.emit(rewardedEvent(stage.stamp(), redemption, reward))
  for (const state of ['CREATED', 'PENDING', 'COMPLETED'] as const) {
    if (state !== 'PENDING' || random.chance(0.5)) stage.emit(rewardRedemptionEvent(stage.stamp(), redemption, reward, state, priced))
  }
  return true
}

/** A discount code and points are redeemed together: one redemption of the stack, and one of each part. */
export const spendStacked: Scene = stage => {
  const { random, mint, world } = stage
  const cards = liveCards(stage, 1)
  const card = cards.length === 0 ? undefined : random.pick(cards)
  const holder = card?.now.holder
  const orders = world.orders.slice(-50).filter(order => order.customer.cards.includes(card!))
  if (card === undefined || holder === undefined || orders.length === 0) return false
  const order = random.pick(orders).now
  const parent_id = mint('r')
  const { at } = play(stage, card, { points: random.integer(1, card.now.balance), order_in_full: false, order, parent_id })
  stage.emit(
    stackRedemptionEvent(stage.stamp(), holder, { id: parent_id, at, order }),
    discountRedemptionEvent(stage.stamp(), holder, { redemption: mint('r'), voucher: mint('v'), campaign: mint('camp'), parent: parent_id }, at)
  )
  return true
}

/** A spend is given back. */
export const refund: Scene = stage => {
  const { random, spends, mint } = stage
  const index = spends.length === 0 ? -1 : random.integer(0, spends.length - 1)
  const spent = spends[index]
  if (spent === undefined || spent.card.deleted || spent.card.now.holder === undefined) return false
  spends.splice(index, 1)
  const rollback_id = mint('rr')
  const movement_id = refundKey(rollback_id, spent.card.now.id)
  const at = stage.now + between(random, 0.01, 0.3)
  const card = move(spent.card, { movement_id, kind: 'refund', points: spent.points, at: at + 1500 })
  const rollback: Redemption = { id: spent.id, rollback_id, card, points: spent.points, at, order_in_full: false, reason: 'returned' }
  stage.emit(redemptionEvent(stage.stamp(), rollback, 'project'), redemptionEvent(stage.stamp(), rollback, 'distribution'))
  recordRow(stage, spent.card, {
    id: mint('vtx'),
    movement_id,
    kind: 'refund',
    type: 'POINTS_REFUND',
    card,
    points: spent.points,
    at: at + 1500,
    details: { redemption: { id: spent.id }, rollback: { id: rollback_id } },
    related_id: spent.transaction_id,
    balance_beside: false
  })
  return true
}

/** A customer tries to spend more than the balance: events are sent, and no points move. */
export const failToSpend: Scene = stage => {
  const { random, mint } = stage
  const cards = liveCards(stage)
  if (cards.length === 0) return false
  const card = random.pick(cards).now
  const failed = random.pick([['result'], ['status'], ['result', 'status']] as const)
  for (const named of ['failed', 'customer.failed', 'succeeded'] as const) {
    const tried: Redemption = { id: mint('r'), card, points: card.balance + random.integer(1, 500), at: stage.now + between(random, 0.01, 0.3), order_in_full: false }
    stage.emit(failedRedemptionEvent(stage.stamp(), tried, named, failed))
  }
  return true
}

/** A discount code is redeemed: no loyalty card, no points. */
export const redeemDiscount: Scene = stage => {
  const customers = liveCustomers(stage)
  if (customers.length === 0) return false
  const customer = stage.random.pick(customers).now
  const ids = { redemption: stage.mint('r'), voucher: stage.mint('v'), campaign: stage.mint('camp') }
  stage.emit(discountRedemptionEvent(stage.stamp(), customer, ids, stage.now))
  return true
}

function play (stage: Stage, card: Card, spending: Omit<Redemption, 'id' | 'card' | 'at'>): Redemption {
  const { random, mint } = stage
  const { points, order, reward } = spending
  const id = mint('r')
  const movement_id = spendKey(id, card.now.id)
  const at = stage.now + between(random, 0.01, 0.3)
  const after = move(card, { movement_id, kind: 'redemption', points: -points, at: at + 1500 })
  const redemption: Redemption = { ...spending, id, card: after, at, undated: random.chance(0.2) }
  const transaction_id = mint('vtx')
  stage.spends.push({ id, card, points, transaction_id })
  if (stage.spends.length > 200) stage.spends.shift()
  stage.emit(redemptionEvent(stage.stamp(), redemption, 'project'), redemptionEvent(stage.stamp(), redemption, 'distribution'))
  recordRow(stage, card, {
    id: transaction_id,
    movement_id,
    kind: 'redemption',
    type: 'POINTS_REDEMPTION',
    card: after,
    points: -points,
    at: at + 1500,
    details: {
      redemption: { id },
      ...(order === undefined ? {} : { order: { id: order.id, source_id: order.source_id } }),
      ...(reward === undefined ? {} : { reward: { id: reward.id, name: reward.name } })
    },
    ...(order === undefined ? {} : { order }),
    balance_beside: random.chance(0.1)
  })
  return redemption
}

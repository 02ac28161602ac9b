import { SECOND } from '../clock.ts'
import type { Stamp } from '../event.ts'
import type { OrderStatus } from '../facts.ts'
import type { JsonObject } from '../json.ts'
import { awardKey, transactionKey } from '../keys.ts'
import type { Card, Order, OrderState, Profile, Rule, Trigger } from '../model.ts'
import { awardEvent } from '../payloads/award.ts'
import { orderEvent } from '../payloads/order.ts'
import { between, liveCustomers, move, type Scene, type Stage } from '../stage.ts'
import { addLot } from './pending.ts'
import { awardDetails, recordRow } from './record-row.ts'

/** An order is placed, and often paid at once. */
export const placeOrder: Scene = stage => {
  const { random } = stage
  const customers = liveCustomers(stage)
  if (customers.length === 0) return false
  const customer = random.pick(customers)
  const order: Order = { now: draftOrder(stage, customer.now), customer, earned: [] }
  stage.world.orders.push(order)
  const way = random.next()
  // Paid at once with no event of its creation; or created and paid at the same time; or paid later, or never.
  if (way >= 0.35) stage.emit(orderEvent(stage.stamp(), order.now))
  if (way < 0.5) pay(stage, order, { at_once: way >= 0.35 })
  return true
}

/** An open order is changed, paid, fulfilled or canceled. */
export const advanceOrder: Scene = stage => {
  const { random, world } = stage
  const order = world.orders.length === 0 ? undefined : random.pick(world.orders.slice(-30))
  if (order === undefined || order.customer.deleted) return false
  const way = random.next()
  switch (order.now.status) {
    case 'CREATED':
      if (way < 0.7) pay(stage, order, { at_once: false })
      else turn(stage, order, { status: way < 0.85 ? 'CREATED' : 'CANCELED' })
      return true
    case 'PAID':
      turn(stage, order, { status: way < 0.6 ? 'FULFILLED' : 'CANCELED' })
      if (way >= 0.6) clawBack(stage, order)
      return true
    case 'FULFILLED': case 'CANCELED': return false
  }
}

export function draftOrder (stage: Stage, customer: Profile): OrderState {
  const { random, mint } = stage
  const items = Array.from({ length: random.integer(1, 3) }, () => draftItem(stage))
  const amount = items.reduce((sum, item) => sum + Number(item.amount), 0)
  const created_at = stage.now - random.integer(1, 900_000)
  return {
    id: mint('ord'),
    source_id: random.chance(0.5) ? `web-${random.hex(6)}${random.chance(0.2) ? '-ąę/ü' : ''}` : null,
    customer,
    status: 'CREATED',
    amount,
    initial_amount: null,
    discount: random.chance(0.4) ? Math.floor(amount / 10) : 0,
    items,
    metadata: { region: random.pick(['US', 'EMEA']), currency: random.pick(['USD', 'EUR']), ...(random.chance(0.3) ? { card: ['Other'] } : {}) },
    created_at,
    updated_at: random.chance(0.5) ? stage.now : created_at
  }
}

function draftItem ({ random }: Stage): JsonObject {
  const quantity = random.integer(1, 5)
  const price = random.integer(1, 80) * 50
  return {
    object: 'order_item',
    product_id: `prod_${random.hex(18)}`,
    quantity,
    amount: quantity * price,
    price,
    subtotal_amount: quantity * price,
    product: { name: random.pick(['Star Thermal Bottle', 'Kubek „Gwiazda”', 'Shipping']), price }
  }
}

/** Puts the order into its next state and emits it. */
function turn (stage: Stage, order: Order, next: { status: OrderStatus, stamp?: Stamp, at_once?: boolean }): void {
  const { random } = stage
  const { status, stamp = stage.stamp(), at_once = false } = next
  // Half of the times are whole milliseconds, written with three digits.
  // With `at_once`, only the status says which state is newer.
  const changed_at = random.chance(0.5) ? stage.now : stage.now - random.integer(1, 900_000)
  const updated_at = at_once ? order.now.updated_at : Math.max(changed_at, order.now.created_at)
  const changed = status === 'CREATED' ? changedOrder(stage, order.now) : {}
  order.now = { ...order.now, ...changed, customer: order.customer.now, status, updated_at }
  stage.emit(orderEvent(stamp, order.now))
}

function changedOrder (stage: Stage, { items, metadata, amount, initial_amount }: OrderState): Partial<OrderState> {
  const more = draftItem(stage)
  return {
    items: [...items, more],
    metadata: { ...metadata, changed: true },
    amount: amount + Number(more.amount),
    initial_amount: initial_amount ?? amount
  }
}

function pay (stage: Stage, order: Order, { at_once }: { at_once: boolean }): void {
  const { random } = stage
  // The awards name this event as their trigger.
  const stamp = stage.stamp(0)
  turn(stage, order, { status: 'PAID', stamp, at_once })
  const trigger: Trigger = { ...stamp, customer_id: order.customer.now.id }
  const cards = earningCards(stage, order)
  for (const card of cards) {
    const rules = card.now.campaign.rules.filter(() => random.chance(0.7))
    for (const rule of rules) {
      const points = pointsOf(rule, order.now)
      if (points === 0) continue
      if (card.now.campaign.pending_days > 0) addLot(stage, card, { order: order.now, rule, trigger, points })
      else earn(stage, order, { card, rule, trigger, points, simultaneous: rules.length > 1 })
    }
  }
  if (random.chance(0.1)) turn(stage, order, { status: 'FULFILLED', at_once: true })
}

/** Mostly the buyer's cards. Now and then another customer's card earns: the buyer is not its holder then. */
function earningCards (stage: Stage, { customer }: Order): Card[] {
  const { random, world } = stage
  const cards = random.chance(0.05) ? [random.pick(world.cards)] : customer.cards.filter(() => random.chance(0.75))
  return cards.filter(card => !card.deleted && card.now.active && card.now.holder !== undefined)
}

function pointsOf (rule: Rule, order: OrderState): number {
  return rule.type === 'FIXED' ? rule.points : Math.floor((order.amount - order.discount) / rule.every) * rule.points
}

interface Earned { card: Card, rule: Rule, trigger: Trigger, points: number, simultaneous: boolean }

/** Two awards of one order on one card have the same times: only the balances say which came first. */
function earn (stage: Stage, order: Order, { card, rule, trigger, points, simultaneous }: Earned): void {
  const { random } = stage
  const at = simultaneous ? trigger.at : stage.now + between(random, 0.01, 3)
  const movement_id = awardKey(trigger.id, rule.id, card.now.id)
  const shown = card.now
  const after = move(card, { movement_id, kind: 'accrual', points, at })
  order.earned.push({ card, rule, points, trigger })
  stage.emit(awardEvent({ stamp: stage.stamp(simultaneous ? 0 : undefined), card: after, shown, customer: order.customer.now, rule, trigger, order: order.now, points }))
  recordRow(stage, card, {
    id: stage.mint('vtx'),
    movement_id,
    kind: 'accrual',
    type: 'POINTS_ACCRUAL',
    card: after,
    points,
    at,
    details: awardDetails(order.now, rule, trigger),
    order: order.now,
    rule_id: rule.id,
    balance_beside: random.chance(0.1)
  })
}

/** Takes back what the order earned: accruals with negative points, with the trigger and rule of the award. */
function clawBack (stage: Stage, order: Order): void {
  const { random, mint } = stage
  if (random.chance(0.3)) return
  for (const [index, { card, rule, points, trigger }] of order.earned.splice(0).entries()) {
    if (card.deleted || card.now.holder === undefined || card.now.balance < points) continue
    const id = mint('vtx')
    const at = stage.now + SECOND + index * 10_000
    const after = move(card, { movement_id: transactionKey(id), kind: 'accrual', points: -points, at })
    recordRow(stage, card, {
      id,
      movement_id: transactionKey(id),
      kind: 'accrual',
      type: 'POINTS_ACCRUAL',
      card: after,
      points: -points,
      at,
      details: awardDetails(order.now, rule, trigger),
      order: order.now,
      rule_id: rule.id,
      balance_beside: false
    }, 5 * SECOND)
  }
}

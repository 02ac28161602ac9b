import { SECOND } from '../clock.ts'
import type { Card, CardState, Customer, Profile } from '../model.ts'
import { openingKey } from '../keys.ts'
import { cardCreatedEvent, cardLifeEvent, cardPublishedEvent } from '../payloads/card.ts'
import { customerEvent } from '../payloads/customer.ts'
import type { Scene, Stage } from '../stage.ts'

const NAMES = ['Ada Example', 'Jack Webhook', 'Zoë Ångström', '山田 花子', 'Łukasz Żak', "O'Neil \"Q\" Test", 'Alex Doe']

/** A customer joins, with one to three cards. Some are older than the subscription: their creation is not sent. */
export function join (stage: Stage): void {
  const { random, world, mint } = stage
  const older = random.chance(0.4)
  const unicode = random.chance(0.15) ? `-zażółć-${random.pick(['😀', 'ß', '客'])}` : ''
  const now: Profile = {
    id: mint('cust'),
    source_id: `crm-${random.hex(10)}${unicode}`,
    name: random.pick(NAMES),
    email: random.chance(0.7) ? `${random.letters(8).toLowerCase()}@example.com` : null,
    metadata: random.chance(0.5) ? { region: random.pick(['EMEA', 'US']) } : {},
    created_at: stage.now,
    updated_at: stage.now
  }
  const customer: Customer = { now, cards: [], tier: undefined, deleted: false }
  world.customers.push(customer)
  if (!older) stage.emit(customerEvent(stage.stamp(), now, 'created'))
  for (let count = random.pick([1, 1, 2, 3]); count > 0; count--) openCard(stage, customer, older)
}

/** One more card for an existing customer. */
export const anotherCard: Scene = stage => {
  const customer = stage.world.customers.at(stage.random.integer(0, stage.world.customers.length - 1))
  if (customer === undefined || customer.deleted || customer.cards.length >= 4) return false
  openCard(stage, customer, false)
  return true
}

/** A card is updated, disabled, enabled or, seldom, deleted. */
export const cardLife: Scene = stage => {
  const { random, world } = stage
  const card = world.cards.length === 0 ? undefined : random.pick(world.cards)
  if (card === undefined || card.deleted) return false
  const change = !card.now.active ? 'enabled' : random.chance(0.6) ? 'updated' : random.chance(0.8) ? 'disabled' : 'deleted'
  if (change === 'deleted') {
    card.deleted = true
    const holder = world.customers.find(customer => customer.cards.includes(card))
    holder?.cards.splice(holder.cards.indexOf(card), 1)
  }
  if (change === 'disabled' || change === 'enabled') card.now = { ...card.now, active: change === 'enabled' }
  card.now = { ...card.now, updated_at: stage.now }
  stage.emit(cardLifeEvent(stage.stamp(), card.now, change))
  return true
}

function openCard (stage: Stage, customer: Customer, older: boolean): void {
  const { random, world, mint } = stage
  const imported = older || random.chance(0.3)
  const atOnce = older || random.chance(0.5)
  const blank: CardState = {
    id: mint('v'),
    code: random.letters(8),
    campaign: random.pick(world.campaigns),
    holder: atOnce ? customer.now : undefined,
    balance: imported ? random.integer(0, 900) : 0,
    pending: 0,
    active: true,
    created_at: stage.now + random.integer(1, 900_000),
    updated_at: stage.now + SECOND
  }
  const card: Card = { now: blank, movements: [], rows: [], lots: [], deleted: false, older }
  card.movements.push({ movement_id: openingKey(blank.id), kind: 'opening', points: blank.balance, balance: blank.balance, at: blank.created_at })
  world.cards.push(card)
  customer.cards.push(card)
  if (older) return
  stage.emit(cardCreatedEvent(stage.stamp(SECOND), blank))
  if (atOnce) return
  stage.emit(cardPublishedEvent(stage.stamp(3 * SECOND), blank, customer.now, mint('pub')))
  card.now = { ...blank, holder: customer.now, updated_at: stage.now + 3 * SECOND }
}

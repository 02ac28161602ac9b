import { SECOND } from '../clock.ts'
import type { Card, Profile } from '../model.ts'
import { assignmentEvent } from '../payloads/card.ts'
import { customerEvent, tierEvent } from '../payloads/customer.ts'
import type { Random } from '../random.ts'
import { laterThan, liveCustomers, type Scene, type Stage } from '../stage.ts'

/** A customer's profile changes, or, seldom, the customer is deleted. */
export const changeCustomer: Scene = stage => {
  const { random } = stage
  const customers = liveCustomers(stage)
  if (customers.length === 0) return false
  const customer = random.pick(customers)
  const gone = stage.world.customers.filter(({ deleted }) => deleted).length
  if (random.chance(0.1) && gone < Math.ceil(stage.world.customers.length / 5)) {
    customer.deleted = true
    stage.emit(customerEvent(stage.stamp(), customer.now, 'deleted'))
    return true
  }
  const changes = changed(customer.now, random)
  const stamp = stage.stamp()
  customer.now = { ...customer.now, ...changes, updated_at: stamp.at }
  for (const card of customer.cards) {
    if (card.now.holder?.id === customer.now.id) card.now = { ...card.now, holder: customer.now }
  }
  stage.emit(customerEvent(stamp, customer.now, 'updated'))
  return true
}

/** Another name, another e-mail address or none, other metadata: one of them, or all three. */
function changed ({ name, metadata }: Profile, random: Random): Partial<Profile> {
  const ways: Array<Partial<Profile>> = [
    { name: `${name.split(' the ')[0]} the ${random.integer(2, 99)}th` },
    { email: random.chance(0.3) ? null : `${random.letters(8).toLowerCase()}@example.org` },
    { metadata: { ...metadata, visits: random.integer(1, 999) } }
  ]
  return random.chance(0.2) ? Object.assign({}, ...ways) as Partial<Profile> : random.pick(ways)
}

/** A card loses its holder. */
export const releaseCard: Scene = stage => {
  const card = someCard(stage, candidate => candidate.now.holder !== undefined)
  const holder = card?.now.holder
  if (card === undefined || holder === undefined) return false
  card.now = { ...card.now, holder: undefined, updated_at: laterThan(card.now.updated_at, stage.now) }
  const from = stage.world.customers.find(customer => customer.now.id === holder.id)
  from?.cards.splice(from.cards.indexOf(card), 1)
  stage.emit(assignmentEvent(stage.stamp(), card.now, holder, 'deleted', stage.mint('rhold')))
  return true
}

/** A card without a holder gets one: the same customer again, or another. */
export const assignCard: Scene = stage => {
  const customers = liveCustomers(stage)
  const card = someCard(stage, candidate => candidate.now.holder === undefined)
  if (customers.length === 0 || card === undefined) return false
  const to = stage.random.pick(customers)
  card.now = { ...card.now, holder: to.now, updated_at: laterThan(card.now.updated_at, stage.now) }
  to.cards.push(card)
  stage.emit(assignmentEvent(stage.stamp(), card.now, to.now, 'created', stage.mint('rhold')))
  return true
}

/** A card is assigned and released at the same time: nobody holds it afterwards. */
export const assignAndRelease: Scene = stage => {
  const customers = liveCustomers(stage)
  if (customers.length === 0) return false
  const released = stage.random.chance(0.5) && releaseCard(stage)
  const card = someCard(stage, candidate => candidate.now.holder === undefined)
  if (card === undefined) return released
  const to = stage.random.pick(customers).now
  const [given, taken] = [stage.stamp(6 * SECOND), stage.stamp(6 * SECOND)]
  card.now = { ...card.now, updated_at: laterThan(card.now.updated_at, taken.at) }
  stage.emit(
    assignmentEvent(given, { ...card.now, holder: to }, to, 'created', stage.mint('rhold')),
    assignmentEvent(taken, card.now, to, 'deleted', stage.mint('rhold'))
  )
  return true
}

/** A customer joins, leaves or changes a tier, or stays in it for another period. */
export const changeTier: Scene = stage => {
  const { random } = stage
  const customers = liveCustomers(stage).filter(customer => customer.cards.length > 0)
  const customer = customers.length === 0 ? undefined : random.pick(customers)
  const campaign = customer?.cards[0]?.now.campaign
  if (customer === undefined || campaign === undefined) return false
  const from = customer.tier
  const others = campaign.tiers.filter(tier => tier.id !== from?.id)
  const to = random.pick(others)
  if (from === undefined || !campaign.tiers.includes(from)) {
    customer.tier = to
    stage.emit(tierEvent(stage.stamp(), customer.now, campaign, 'joined', { from: undefined, to }))
  } else if (random.chance(0.25)) {
    stage.emit(tierEvent(stage.stamp(), customer.now, campaign, 'prolonged', { from, to: from }))
  } else if (random.chance(0.4)) {
    customer.tier = undefined
    stage.emit(tierEvent(stage.stamp(), customer.now, campaign, 'left', { from, to: from }))
  } else {
    customer.tier = to
    stage.emit(tierEvent(stage.stamp(), customer.now, campaign, to.from > from.from ? 'upgraded' : 'downgraded', { from, to }))
  }
  return true
}

function someCard ({ world, random }: Stage, fits: (card: Card) => boolean): Card | undefined {
  const sample = world.cards.length <= 30 ? world.cards : Array.from({ length: 30 }, () => random.pick(world.cards))
  const fitting = sample.filter(card => !card.deleted && fits(card))
  return fitting.length === 0 ? undefined : random.pick(fitting)
}

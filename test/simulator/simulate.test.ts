import { createHash } from 'node:crypto'
import { test } from 'tap'
import { isAuthentic } from '../../src/providers/voucherify/wire/signature.ts'
import { expectedAnswers } from '../../simulator/oracle/answers.ts'
import { expectationOf } from '../../simulator/oracle/expectation.ts'
import { simulate, type SimulationOptions } from '../../simulator/simulate.ts'
import { truthFirst } from '../support/arrivals.ts'

function fingerprint (options: SimulationOptions): string {
  const hash = createHash('sha256')
  for (const delivery of simulate(options).deliveries) hash.update(delivery.signature('s')).update(delivery.body)
  return hash.digest('hex')
}

test('the same options give the same deliveries byte for byte, and other options share no id', async t => {
  const options: SimulationOptions = { seed: 7, customers: 5, events: 400, chaos: 'high' }
  t.equal(fingerprint(options), fingerprint(options))
  const { deliveries } = simulate(options)
  t.ok(deliveries.every(delivery => delivery.body.equals(delivery.body)), 'a body is the same each time it is asked for')
  for (const other of [{ seed: 8 }, { customers: 6 }, { events: 401 }, { chaos: 'low' }, { sources: 'seeds' }] as const) {
    const ids = new Set(simulate({ ...options, ...other }).world.cards.map(card => card.now.id))
    t.notOk(simulate(options).world.cards.some(card => ids.has(card.now.id)), JSON.stringify(other))
  }
})

test('every true balance is the one before plus the points, and none is negative', async t => {
  for (const seed of [1, 2, 3]) {
    const broken: string[] = []
    let continued = 0
    const { world } = simulate({ seed, events: 4000, chaos: 'high' })
    for (const { movements } of world.cards) {
      for (const [index, movement] of movements.entries()) {
        const before = movements[index - 1]
        if (movement.balance !== (before?.balance ?? 0) + movement.points || movement.balance < 0) broken.push(`${movement.movement_id} is no continuation`)
        if (before !== undefined && movement.at < before.at) broken.push(`${movement.movement_id} is before the one before`)
        if (before !== undefined) continued++
      }
    }
    t.strictSame(broken, [], `seed ${seed}`)
    t.ok(continued > 1000, `${continued} movements follow another one`)
  }
})

test('given every event sent, then the ledger should agree with the provider, and nothing is unexplained', async t => {
  const { deliveries, world } = simulate({ seed: 'whole', customers: 8, events: 3000, chaos: 'none' })
  // The history continues a little after the last delivery that was asked for.
  const { cards } = expectationOf(deliveries)
  const differing = world.cards.filter(card => {
    const expected = cards.get(card.now.id)
    return expected !== undefined && (expected.unexplained !== 0 || expected.balance !== card.now.balance || expected.pending !== card.now.pending)
  })
  t.ok(differing.length <= 2, `${differing.length} of ${cards.size} differ`)
  t.equal([...cards.values()].filter(card => card.unexplained !== 0).length, 0)
  for (const card of cards.values()) {
    t.equal(card.balance, card.opening + card.earned + card.refunded - card.spent - card.expired + card.adjusted + card.transferred + card.unexplained)
  }
})

test('tiny histories work, in any order and repeated', async t => {
  for (let seed = 0; seed < 60; seed++) {
    const { deliveries } = simulate({ seed, customers: 1 + seed % 3, events: 10 + seed % 50, chaos: (['none', 'low', 'high'] as const)[seed % 3]! })
    t.equal(deliveries.length, 10 + seed % 50)
    const lawful = truthFirst(deliveries)
    const events = lawful.filter(({ kind }) => kind !== 'conflict')
    t.strictSame(state(expectationOf([...events].reverse())), state(expectationOf([...lawful, ...lawful])), `seed ${seed}`)
  }
})

function state ({ cards, orders, customers }: ReturnType<typeof expectationOf>) {
  const sorted = (map: ReadonlyMap<string, object>) => [...map].sort(([a], [b]) => a < b ? -1 : 1)
  return JSON.stringify([sorted(cards), sorted(orders), sorted(customers)])
}

test('a history of some size has everything in it', async t => {
  const { deliveries, world } = simulate({ seed: 'wide', customers: 30, events: 15_000, chaos: 'high' })
  const has = (what: string, found: ReadonlySet<unknown>, wanted: readonly unknown[]): void => {
    t.strictSame(wanted.filter(one => !found.has(one)), [], what)
  }
  has('kinds of movement', new Set(world.cards.flatMap(card => card.movements.map(({ kind }) => kind))), [
    'opening', 'accrual', 'redemption', 'refund', 'expiration', 'addition', 'removal', 'transfer_in', 'transfer_out'
  ])
  has('envelopes', new Set(deliveries.map(({ route }) => route)), ['webhook', 'distribution', 'notification', 'bare', 'v2018'])
  has('misbehaviours', new Set(deliveries.flatMap(({ kind, traits }) => [kind, ...traits])), [
    'conflict', 'test', 'unknown', 'unusable', 'forged', 'duplicate', 'late', 'renamed', 'extras', 'shuffled', 'pretty', 'misnamed'
  ])
  has('event types', new Set(deliveries.filter(({ kind }) => kind === 'event').map(({ type }) => type)), [
    'customer.rewarded.loyalty_points', 'voucher.loyalty_card.transaction.created',
    ...['points_added', 'points_expired', 'pending_points.added', 'pending_points.updated', 'pending_points.canceled', 'pending_points.activated']
      .flatMap(name => [`voucher.loyalty_card.${name}`, `customer.voucher.loyalty_card.${name}`]),
    'redemption.succeeded', 'customer.redemption.succeeded', 'redemption.rollback.succeeded', 'customer.redemption.rollback.succeeded',
    'redemption.failed', 'customer.redemption.failed', 'customer.rewarded', 'customer.reward_redemptions.created', 'customer.reward_redemptions.pending', 'customer.reward_redemptions.completed',
    'customer.order.created', 'customer.order.updated', 'customer.order.paid', 'customer.order.canceled',
    'customer.created', 'customer.updated', 'customer.deleted',
    ...['joined', 'left', 'upgraded', 'downgraded', 'prolonged'].map(change => `customer.loyalty.tier.${change}`),
    ...['created', 'updated', 'published', 'enabled', 'disabled', 'deleted'].map(change => `voucher.${change}`),
    'customer.holder.assignment.created', 'customer.holder.assignment.deleted'
  ])
  const statuses = new Set(world.orders.map(order => order.now.status))
  has('order states', statuses, ['CREATED', 'PAID', 'FULFILLED', 'CANCELED'])
  const ties = world.cards.filter(card => card.movements.some((movement, index) => movement.at === card.movements[index + 1]?.at))
  t.ok(ties.length > 0, 'two awards in one moment')
  t.ok(world.gifts.length > 0, 'gift cards')
  t.ok(world.cards.some(card => card.movements.some(({ kind, points }) => kind === 'accrual' && points < 0)), 'a clawback')
  const bodies = deliveries.filter(({ kind }) => kind === 'event').slice(0, 3000).map(({ body }) => body)
  t.ok(bodies.some(body => body.includes('zażółć')), 'unicode')
  t.ok(bodies.some(body => body.includes('.676Z') || /\.\d{3}Z/.test(String(body))) && bodies.some(body => /\.\d{6}Z/.test(String(body))), 'times of 3 and 6 digits')
  const { answers } = expectedAnswers(deliveries)
  has('answers', new Set(answers), ['accepted', 'duplicate', 'stored', 'quarantined', 'refused'])
  const expected = expectationOf(deliveries)
  t.ok([...expected.cards.values()].some(card => card.unexplained !== 0), 'what was dropped shows')
  t.ok([...expected.cards.values()].some(card => card.holder === null), 'a card without holder')
  t.ok([...expected.cards.values()].some(card => card.deleted_at !== null) && [...expected.cards.values()].some(card => card.active === false), 'cards that ended or may not be used')
  t.ok([...expected.customers.values()].some(({ tiers }) => tiers.length > 0), 'tiers')
  t.ok([...expected.customers.values()].some(({ profile }) => profile?.deleted_at !== null), 'a customer who is gone')
  const states = [...expected.orders.values()].flatMap(order => order.states.map(({ updated_at }) => `${order.order_id} ${updated_at}`))
  t.ok(new Set(states).size < states.length, 'two states of an order at one time')
  const lines = [...expected.cards.values()].flatMap(card => card.lines.map(({ kind, reported_balance, occurred_at }) => ({ kind, reported_balance, moment: `${card.card_id} ${occurred_at}` })))
  const silent = lines.filter(({ reported_balance }) => reported_balance === null)
  t.ok(silent.some(line => lines.some(other => other !== line && other.moment === line.moment && other.reported_balance !== null)), 'a spend without a balance beside movements of its moment')
})

test('conflicts are delivered after the event that they contradict, and omitted without it', async t => {
  const { deliveries } = simulate({ seed: 'order', customers: 10, events: 4000, chaos: 'high' })
  const backwards = truthFirst([...deliveries].reverse())
  const { answers } = expectedAnswers(backwards)
  t.ok(backwards.some(({ kind }) => kind === 'conflict'))
  t.ok(backwards.every(({ kind }, index) => kind !== 'conflict' || answers[index] === 'quarantined'))
  t.equal(truthFirst(deliveries.filter(({ kind }) => kind === 'conflict')).length, 0)
})

test('a conflict comes after what it contradicts, and a signature is right unless it is forged', async t => {
  const { deliveries } = simulate({ seed: 'order', customers: 10, events: 4000, chaos: 'high' })
  const observed = new Set<string | undefined>()
  const misjudged: Array<string | undefined> = []
  for (const delivery of deliveries) {
    if (delivery.kind === 'conflict') t.ok(observed.has(delivery.key), 'the event came before')
    if (delivery.kind === 'event') observed.add(delivery.key)
    if (isAuthentic(delivery.body, delivery.signature('secret'), ['secret']) !== (delivery.kind !== 'forged')) misjudged.push(delivery.key)
  }
  t.strictSame(misjudged, [], 'signatures')
})

test('a merchant gets only what it subscribed to', async t => {
  const typesOf = (options: SimulationOptions) => [...new Set(simulate(options).deliveries.filter(({ kind }) => kind === 'event').map(({ type }) => type))].sort()
  t.strictSame(typesOf({ seed: 1, events: 300, sources: 'seeds' }), ['customer.order.paid', 'customer.rewarded.loyalty_points'])
  t.strictSame(typesOf({ seed: 1, events: 100, sources: ['redemption.succeeded'] }), ['redemption.succeeded'])
  t.equal(simulate({ seed: 1, customers: 1, events: 5, sources: ['no.such.type'] }).deliveries.length, 0, 'and none where there is none')
})

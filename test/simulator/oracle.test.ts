import { test } from 'tap'
import { RANK, type Fact, type MovementFact } from '../../simulator/facts.ts'
import { expectationFrom } from '../../simulator/oracle/expectation.ts'

function at (minute: number): string {
  return `2024-02-01T10:${String(minute).padStart(2, '0')}:00.000000Z`
}

function moved (observed: Partial<MovementFact>): MovementFact {
  return {
    fact: 'movement',
    movement_id: 'transaction:vtx_1',
    card_id: 'v_1',
    rank: RANK.transaction,
    kind: 'accrual',
    points: 10,
    reported_balance: null,
    occurred_at: at(0),
    order_id: null,
    earning_rule_id: null,
    ...observed
  }
}

function lines (facts: readonly Fact[]): Array<[kind: string, points: number, balance: number]> {
  return expectationFrom(facts).cards.get('v_1')!.lines.map(({ kind, points, balance }) => [kind, points, balance])
}

const first = moved({ movement_id: 'a', points: 100, reported_balance: 140, occurred_at: at(0) })
const late = moved({ movement_id: 'b', points: 20, reported_balance: 160, occurred_at: at(1) })
const third = moved({ movement_id: 'c', points: 50, reported_balance: 180, occurred_at: at(2) })

test('given two awards and a spend never sent, then the spend is unexplained, less what a late movement explains', async t => {
  t.strictSame(lines([third, first]), [['accrual', 100, 140], ['unexplained', -10, 130], ['accrual', 50, 180]])
  t.strictSame(lines([third, first, late]), [['accrual', 100, 140], ['accrual', 20, 160], ['unexplained', -30, 130], ['accrual', 50, 180]])
  t.match(expectationFrom([third, first, late]).cards.get('v_1'), { balance: 180, opening: 40, earned: 170, unexplained: -30, last_movement_at: at(2) })
})

test('given several observations of one movement, then it counts once, and each field is from the highest rank that states it', async t => {
  const card = expectationFrom([
    moved({ rank: RANK.bare, points: 9, reported_balance: 9, occurred_at: at(3), order_id: 'ord_1' }),
    moved({ rank: RANK.transaction, points: 10, reported_balance: null, occurred_at: at(1) }),
    moved({ rank: RANK.enveloped, points: 8, reported_balance: 10, occurred_at: at(2), earning_rule_id: 'ern_1' })
  ]).cards.get('v_1')
  t.strictSame(card?.lines, [{
    movement_id: 'transaction:vtx_1', kind: 'accrual', points: 10, reported_balance: 10, observed: false, occurred_at: at(1), dated_at: null, exact: true, order_id: 'ord_1', earning_rule_id: 'ern_1', event_id: undefined, observed_in: [], balance: 10
  }])
})

test('given a movement whose points are never stated, then it makes no line; the price of a reward counts if nothing else is stated', async t => {
  const unpriced = moved({ rank: RANK.priced, kind: 'redemption', points: null })
  t.strictSame(lines([unpriced]), [])
  t.strictSame(lines([unpriced, moved({ rank: RANK.priced, kind: 'redemption', points: -30 })]), [['redemption', -30, -30]])
})

test('given awards of the same time, then their balances say which came first', async t => {
  const one = moved({ movement_id: 'z', points: 5, reported_balance: 15 })
  const two = moved({ movement_id: 'a', points: 1, reported_balance: 16 })
  t.strictSame(lines([two, one]), [['accrual', 5, 15], ['accrual', 1, 16]])
  const before = moved({ movement_id: 'x', points: 10, reported_balance: 10, occurred_at: '2024-02-01T09:00:00.000000Z' })
  t.strictSame(lines([two, one, before]), [['accrual', 10, 10], ['accrual', 5, 15], ['accrual', 1, 16]])
})

test('given a spend without a balance at the time of others, then it is placed where their balances leave room for it', async t => {
  const before = moved({ movement_id: 'm', points: 100, reported_balance: 100, occurred_at: '2024-02-01T09:00:00.000000Z' })
  const spent = moved({ movement_id: 'z', kind: 'redemption', rank: RANK.enveloped, points: -30 })
  const given = moved({ movement_id: 'y', kind: 'addition', points: 40, reported_balance: 140 })
  const last = moved({ movement_id: 'x', kind: 'addition', points: 90, reported_balance: 200 })
  t.strictSame(lines([last, spent, given, before]).slice(1), [['addition', 40, 140], ['redemption', -30, 110], ['addition', 90, 200]])
  const back = moved({ movement_id: 'y', kind: 'addition', points: 30, reported_balance: 100 })
  const more = moved({ movement_id: 'x', kind: 'addition', points: 90, reported_balance: 190 })
  t.strictSame(lines([more, back, spent, before]).slice(1), [['redemption', -30, 70], ['addition', 30, 100], ['addition', 90, 190]])
})

test('given two observations, then the line names the event of the higher rank, or none if equal, and lists both', async t => {
  const observed = (key: string, rank: MovementFact['rank'], minute: number): MovementFact => moved({ rank, occurred_at: at(minute), observed_in: { key: `${key} s`, event_id: key } })
  const lineOf = (...facts: Fact[]) => expectationFrom(facts).cards.get('v_1')?.lines[0]
  t.match(lineOf(observed('a', RANK.bare, 0), observed('b', RANK.enveloped, 1)), { event_id: 'b', observed_in: ['a s', 'b s'] })
  t.match(lineOf(observed('a', RANK.bare, 0), observed('b', RANK.bare, 1)), { event_id: 'a' })
  t.match(lineOf(observed('a', RANK.bare, 0), observed('b', RANK.bare, 0)), { event_id: undefined, observed_in: ['a s', 'b s'] })
})

test('given several observations of a customer, then the newest profile and tier of each programme count; a deletion is final', async t => {
  const observed = (name: string, minute: number, deleted = false): Fact => ({ fact: 'customer', customer_id: 'c', source_id: 's', name, email: null, metadata: {}, deleted, at: at(minute) })
  const step = (campaign_id: string, change: 'joined' | 'left', minute: number): Fact => ({ fact: 'tier', customer_id: 'c', campaign_id, change, tier_id: 't', tier: 'Gold', at: at(minute) })
  const customer = expectationFrom([observed('new', 3), observed('old', 1, true), step('p', 'joined', 1), step('p', 'left', 2), step('q', 'joined', 5), step('q', 'left', 4)]).customers.get('c')
  t.match(customer?.profile, { name: 'new', deleted_at: at(1) })
  t.strictSame(customer?.tiers, [{ campaign_id: 'q', tier_id: 't', tier: 'Gold', change: 'joined', since: at(5) }])
})

test('given an imported card, then it opens with a line, and a difference before the next is unexplained', async t => {
  const opening = moved({ movement_id: 'opening:v_1', kind: 'opening', points: 70, reported_balance: 70 })
  const facts = [opening, moved({ movement_id: 'b', points: 5, reported_balance: 80, occurred_at: at(1) })]
  t.strictSame(lines(facts), [['opening', 70, 70], ['unexplained', 5, 75], ['accrual', 5, 80]])
  t.equal(expectationFrom([opening]).cards.get('v_1')?.last_movement_at, null, 'which is no movement')
  t.match(expectationFrom(facts).cards.get('v_1'), { opening: 70, earned: 5, unexplained: 5, balance: 80 })
})

test('given a clawback, then it lessens what was earned', async t => {
  t.match(expectationFrom([first, moved({ movement_id: 'd', points: -100, reported_balance: 40, occurred_at: at(1) })]).cards.get('v_1'), { earned: 0, balance: 40, unexplained: 0 })
})

test('given a lot through its states, then its newest points are pending, and none once it ended', async t => {
  const lot = (state: 'added' | 'updated' | 'activated' | 'canceled', points: number, minute: number): Fact => ({ fact: 'lot', lot_id: 'lopp_1', card_id: 'v_1', state, points, activates_on: '2024-03-01', at: at(minute) })
  const pending = (...facts: Fact[]) => expectationFrom(facts).cards.get('v_1')?.pending
  t.equal(pending(lot('updated', 30, 2), lot('added', 50, 1)), 30)
  t.equal(pending(lot('added', 50, 1), lot('updated', 30, 1)), 30)
  t.equal(pending(lot('added', 50, 9), lot('canceled', 0, 2)), 0)
  t.equal(pending(lot('added', 50, 1), { ...lot('added', 7, 1), lot_id: 'lopp_2' } as Fact), 57)
})

test('given holders observed and released, then the newest one holds the card, unless released since', async t => {
  const holds = (customer_id: string, minute: number): Fact => ({ fact: 'holder', card_id: 'v_1', customer_id, at: at(minute) })
  const released = (customer_id: string, minute: number): Fact => ({ fact: 'release', card_id: 'v_1', customer_id, at: at(minute) })
  const holder = (...facts: Fact[]) => expectationFrom(facts).cards.get('v_1')?.holder
  t.equal(holder(holds('b', 2), holds('a', 1)), 'b')
  t.equal(holder(holds('b', 2), released('b', 2)), null)
  t.equal(holder(holds('b', 2), released('a', 3)), 'b', 'somebody else was released')
  t.equal(holder(released('b', 2), holds('b', 3)), 'b', 'held again')
})

test('given an order observed in several states, then the newest is the order and all are its history', async t => {
  const seen = (status: 'CREATED' | 'PAID' | 'CANCELED', minute: number): Fact => ({
    fact: 'order',
    order_id: 'ord_1',
    customer_id: 'cust_1',
    source_id: null,
    status,
    amount: 100,
    initial_amount: null,
    discount_amount: null,
    total_discount_amount: null,
    total_amount: 100,
    items: [],
    metadata: {},
    created_at: at(0),
    updated_at: at(minute)
  })
  const order = expectationFrom([seen('CANCELED', 2), seen('CREATED', 0), seen('PAID', 2), seen('PAID', 2)]).orders.get('ord_1')
  t.equal(order?.status, 'CANCELED')
  t.strictSame(order?.states.map(({ status }) => status), ['CREATED', 'PAID', 'CANCELED'])
})

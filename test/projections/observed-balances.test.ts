// What the provider shows of a card as of a time, beside the movements: a weaker source than a stated balance.
import { test } from 'tap'
import { openLedger, type TestLedger } from '../support/ledger.ts'

const CARD = 'v_invObserved'
const CUSTOMER = 'cust_invObserved'

interface Shown { balance?: number, pending?: number, at: string }

/** The card as a payload shows it. */
function voucher (shown: Shown | undefined): object {
  const points = shown === undefined ? {} : { ...shown.balance === undefined ? {} : { points: shown.balance, balance: shown.balance }, ...shown.pending === undefined ? {} : { pending_points: shown.pending } }
  return {
    id: CARD,
    code: 'OBSERVED',
    type: 'LOYALTY_CARD',
    campaign: 'Points',
    campaign_id: 'camp_inv',
    holder_id: CUSTOMER,
    active: true,
    loyalty_card: shown === undefined ? null : points,
    updated_at: shown?.at ?? null
  }
}

let sends = 0
function envelope (type: string, at: string, data: object): object {
  const id = `evcus_inv${++sends}`
  return {
    id: `whs_inv${sends}`,
    project_id: 'proj_inv',
    created_at: at,
    type,
    source: { id: 'wh_inv', object: 'webhook' },
    event: { id, type, created_at: at },
    data: { customer: { id: CUSTOMER }, holder: { id: CUSTOMER }, ...data }
  }
}

function spend (id: string, at: string, points: number, shown?: Shown): object {
  return envelope('redemption.succeeded', at, { voucher: voucher(shown), redemption: { id, date: at, amount: points, result: 'SUCCESS', status: 'SUCCEEDED' } })
}

/** @param at when it is sent; `trigger`: when the order was paid */
function award (at: string, points: number, balance: number | null, more: { trigger?: string, rule?: string, shown?: Shown } = {}): object {
  const { trigger = at, rule = 'ern_inv', shown } = more
  return envelope('customer.rewarded.loyalty_points', at, {
    voucher: voucher(shown),
    earning_rule: { id: rule },
    balance: { points, balance, related_object: { id: CARD, type: 'voucher' } },
    event: { id: `evcus_trigger${trigger}`, type: 'customer.order.paid', created_at: trigger }
  })
}

function row (id: string, at: string, type: string, points: number, balance: number): object {
  return envelope('voucher.loyalty_card.transaction.created', at, {
    voucher: voucher({ balance, at }),
    balance: { points, balance },
    transaction: { id, type, voucher_id: CARD, created_at: at, details: { balance: { points, balance } } }
  })
}

function updated (at: string, shown: Shown): object {
  return envelope('voucher.updated', at, { voucher: voucher(shown) })
}

function lot (id: string, points: number, at: string, total: number): object {
  return envelope('voucher.loyalty_card.pending_points.added', at, {
    voucher: voucher({ pending: total, at }),
    pending_points: { id, voucher_id: CARD, points, activates_at: '2026-09-01', created_at: at },
    voucher_pending_points_balance: { points, balance: 0, total }
  })
}

async function send (ledger: TestLedger, events: readonly object[]): Promise<void> {
  for (const event of events) if ((await ledger.post(event)).statusCode !== 202) throw new Error(JSON.stringify(event))
  await ledger.project()
}

interface Card { balance: number, opening: number, unexplained: number, balance_stated_at: string | null, pending: number, pending_unexplained: number }

async function cardOf (ledger: TestLedger): Promise<Card> {
  return (await ledger.get(`/v1/cards/${CARD}`)).json<Card>()
}

/** The statement, oldest first. */
async function linesOf (ledger: TestLedger): Promise<Array<[kind: string, points: number, balance: number]>> {
  const { items } = (await ledger.get(`/v1/cards/${CARD}/statement`)).json<{ items: Array<{ kind: string, points: number, balance: number }> }>()
  return items.reverse().map(({ kind, points, balance }) => [kind, points, balance])
}

/** Sends the events in every order, or in many, each to a ledger of its own. */
function inEveryOrder (name: string, events: () => object[], expected: { card: Partial<Card>, lines: Array<[string, number, number]> }): void {
  test(name, async t => {
    const all = events()
    for (const order of ordersOf(all)) {
      const ledger = await openLedger(t)
      for (const event of order) await send(ledger, [event])
      t.match(await cardOf(ledger), expected.card)
      t.strictSame(await linesOf(ledger), expected.lines)
    }
  })
}

function ordersOf<Item> (items: readonly Item[]): Item[][] {
  const turned = items.map((_, start) => [...items.slice(start), ...items.slice(0, start)])
  return items.length > 3 ? [[...items], items.toReversed(), ...turned.slice(1, 3)] : [...turned, ...turned.map(order => order.toReversed())]
}

const at = (time: string): string => `2026-05-04T${time}Z`

test('nine spends of a card that was older than the ledger: each shows the balance after it, so the card has what it has', async t => {
  const ledger = await openLedger(t)
  const amounts = [1, 1, 2, 6, 4, 2300, 200, 150, 150]
  let balance = 8188
  const spends = amounts.map((points, index) => {
    balance -= points
    return spend(`r_inv${index}`, at(`1${index}:00:00.000`), points, { balance, at: at(`1${index}:00:00.007`) })
  })
  await send(ledger, spends.toReversed())
  t.match(await cardOf(ledger), { balance: 5374, opening: 8188, spent: 2814, unexplained: 0, balance_stated_at: '2026-05-04T18:00:00.000000Z' })
  t.strictSame((await linesOf(ledger))[0], ['redemption', -1, 8187])
})

inEveryOrder('a balance that only a sum gives says so', () => [spend('r_inv', at('10:00:00.000'), 50)],
  { card: { balance: -50, balance_stated_at: null }, lines: [['redemption', -50, -50]] })

inEveryOrder('the first snapshot of a card says with what it opened', () => [spend('r_inv', at('10:00:00.000'), 50), updated(at('12:00:00.000'), { balance: 70, at: at('11:00:00.000') })],
  { card: { balance: 70, opening: 120, unexplained: 0, balance_stated_at: '2026-05-04T11:00:00.000000Z' }, lines: [['redemption', -50, 70]] })

inEveryOrder('so does the first stated balance after movements that state none', () => [spend('r_inv', at('10:00:00.000'), 50), row('vtx_inv', at('11:00:00.000'), 'POINTS_ADDITION', 5, 75)],
  { card: { balance: 75, opening: 120, unexplained: 0 }, lines: [['redemption', -50, 70], ['addition', 5, 75]] })

inEveryOrder('a snapshot shows at its own time what no known movement explains', () => [
  row('vtx_inv1', at('10:00:00.000'), 'POINTS_ADDITION', 100, 100),
  updated(at('12:00:00.000'), { balance: 70, at: at('11:00:00.000') }),
  row('vtx_inv2', at('13:00:00.000'), 'POINTS_ADDITION', 5, 75)
], { card: { balance: 75, unexplained: -30 }, lines: [['addition', 100, 100], ['unexplained', -30, 70], ['addition', 5, 75]] })

inEveryOrder('a snapshot says nothing against a balance that is stated later', () => [
  row('vtx_inv1', at('10:00:00.000'), 'POINTS_ADDITION', 100, 100),
  updated(at('12:00:00.000'), { balance: 70, at: at('11:00:00.000') }),
  row('vtx_inv2', at('13:00:00.000'), 'POINTS_ADDITION', 5, 105)
], { card: { balance: 105, unexplained: 0, balance_stated_at: '2026-05-04T13:00:00.000000Z' }, lines: [['addition', 100, 100], ['addition', 5, 105]] })

inEveryOrder('nor against one that is stated for the same moment', () => [
  row('vtx_inv1', at('10:00:00.000'), 'POINTS_ADDITION', 100, 100),
  updated(at('12:00:00.000'), { balance: 0, at: at('09:59:59.950') })
], { card: { balance: 100, unexplained: 0 }, lines: [['addition', 100, 100]] })

inEveryOrder('a snapshot from before an award that is dated by its trigger is no later balance', () => [
  award(at('15:19:20.676'), 900, 900, { shown: { balance: 0, at: at('15:19:26.501570') } })
], { card: { balance: 900, opening: 0, unexplained: 0 }, lines: [['accrual', 900, 900]] })

inEveryOrder('points that are spent between an award and its send-out are spent', () => [
  row('vtx_inv', at('09:00:00.000'), 'POINTS_ADDITION', 10, 10),
  award(at('10:00:05.000'), 890, 900, { trigger: at('09:59:59.000') }),
  spend('r_inv', at('10:00:02.000'), 50)
], { card: { balance: 850, unexplained: 0 }, lines: [['addition', 10, 10], ['accrual', 890, 900], ['redemption', -50, 850]] })

inEveryOrder('also on a card of which nothing else is known, if the spend shows the balance after it', () => [
  award(at('10:00:05.000'), 900, 900, { trigger: at('09:59:59.000') }),
  spend('r_inv', at('10:00:02.000'), 50, { balance: 850, at: at('10:00:02.003') })
], { card: { balance: 850, opening: 0, unexplained: 0 }, lines: [['accrual', 900, 900], ['redemption', -50, 850]] })

inEveryOrder('two awards of one order move together', () => [
  award(at('10:00:06.000'), 900, 900, { trigger: at('09:59:59.000') }),
  award(at('10:00:06.000'), 100, 1000, { trigger: at('09:59:59.000'), rule: 'ern_inv2' }),
  spend('r_inv', at('10:00:02.000'), 50, { balance: 950, at: at('10:00:02.003') })
], { card: { balance: 950, opening: 0, unexplained: 0 }, lines: [['accrual', 900, 900], ['accrual', 100, 1000], ['redemption', -50, 950]] })

inEveryOrder('points that are spent before the award they pay for stay before it', () => [
  row('vtx_inv', at('09:00:00.000'), 'POINTS_ADDITION', 50, 50),
  spend('r_inv', at('10:00:00.000'), 50),
  award(at('10:00:05.000'), 900, 900, { trigger: at('10:00:00.000') })
], { card: { balance: 900, unexplained: 0 }, lines: [['addition', 50, 50], ['redemption', -50, 0], ['accrual', 900, 900]] })

inEveryOrder('what is an hour apart is not moved, whatever the balances say', () => [
  row('vtx_inv', at('09:00:00.000'), 'POINTS_ADDITION', 10, 10),
  spend('r_inv', at('10:00:00.000'), 50),
  award(at('11:00:00.000'), 890, 900)
], { card: { balance: 900, unexplained: 50 }, lines: [['addition', 10, 10], ['redemption', -50, -40], ['unexplained', 50, 10], ['accrual', 890, 900]] })

test('a line that was moved says which time its events state', async t => {
  const ledger = await openLedger(t)
  await send(ledger, [
    award(at('10:00:05.000'), 900, 900, { trigger: at('09:59:59.000') }),
    spend('r_inv', at('10:00:02.000'), 50, { balance: 850, at: at('10:00:02.003') })
  ])
  const { items } = (await ledger.get(`/v1/cards/${CARD}/statement`)).json()
  t.match(items[1], { kind: 'accrual', occurred_at: '2026-05-04T10:00:02.000000Z', dated_at: '2026-05-04T10:00:05.000000Z', observed: false })
  t.match(items[0], { kind: 'redemption', occurred_at: '2026-05-04T10:00:02.000000Z', dated_at: null, reported_balance: 850, observed: true })
})

test('an unexplained line that a snapshot revealed says so', async t => {
  const ledger = await openLedger(t)
  await send(ledger, [row('vtx_inv1', at('10:00:00.000'), 'POINTS_ADDITION', 100, 100), updated(at('12:00:00.000'), { balance: 70, at: at('11:00:00.000') })])
  const { items: [line] } = (await ledger.get(`/v1/cards/${CARD}/explain`)).json()
  t.match(line, { kind: 'unexplained', points: -30, observed: true, gap: { after_movement_id: 'transaction:vtx_inv1', before_movement_id: null, snapshot_at: '2026-05-04T11:00:00.000000Z', our_balance: 100, implied_balance: 70 } })
  t.match(line.remark, /As of 2026-05-04T11:00:00.000000Z the provider showed the card with a balance of 70; by the known movements it was 100\. 30 points went/)
})

test('pending points: the total of the provider counts, and what no known lot explains is visible', async t => {
  const ledger = await openLedger(t)
  await send(ledger, [lot('lopp_inv1', 1, at('10:00:00.000'), 1234)])
  t.match(await cardOf(ledger), { pending: 1234, pending_unexplained: 1233 })
  t.match((await ledger.get(`/v1/customers/${CUSTOMER}/balance`)).json(), { pending: 1234 })
  await send(ledger, [lot('lopp_inv0', 1233, at('09:00:00.000'), 1233)])
  t.match(await cardOf(ledger), { pending: 1234, pending_unexplained: 0 }, 'a lot that is heard of late explains it')
  await send(ledger, [updated(at('12:00:00.000'), { balance: 0, pending: 0, at: at('11:00:00.000') })])
  t.match(await cardOf(ledger), { pending: 0, pending_unexplained: -1234 }, 'both were canceled, and nobody said so')
  t.match((await ledger.get(`/v1/cards/${CARD}?at=${at('10:30:00.000')}`)).json(), { pending: 1234, pending_unexplained: 0 })
})

test('points of a card that ended are not available, and a customer sees why', async t => {
  const ledger = await openLedger(t)
  await send(ledger, [row('vtx_inv1', at('10:00:00.000'), 'POINTS_ADDITION', 100, 100)])
  t.match((await ledger.get(`/v1/customers/${CUSTOMER}/balance`)).json(), { balance: 100, unavailable: 0, cards: [{ unavailable: null }] })
  await send(ledger, [envelope('voucher.disabled', at('11:00:00.000'), { voucher: { ...voucher(undefined), active: false } })])
  t.match((await ledger.get(`/v1/customers/${CUSTOMER}/balance`)).json(), {
    balance: 0, unavailable: 100, cards: [{ balance: 100, unavailable: 'disabled' }], campaigns: [{ campaign_id: 'camp_inv', campaign: 'Points', balance: 0, unavailable: 100, cards: 1 }]
  })
  await send(ledger, [envelope('voucher.deleted', at('12:00:00.000'), { voucher: voucher(undefined) })])
  t.match((await ledger.get(`/v1/customers/${CUSTOMER}`)).json().totals, { balance: 0, unavailable: 100 })
  t.match((await ledger.get(`/v1/cards/${CARD}`)).json(), { balance: 100, unavailable: 'deleted' })
  t.match((await ledger.get(`/v1/customers/${CUSTOMER}/balance?at=${at('10:30:00.000')}`)).json(), { balance: 100, unavailable: 0 }, 'then it could be used')
  const { rows } = await ledger.owner.query('select c.balance, c.unavailable, k.unavailable as why from reporting.customers c join reporting.cards k using (customer_id)')
  t.strictSame(rows, [{ balance: '0', unavailable: '100', why: 'deleted' }])
})

test('an event that is dated years ahead counts from when it was stored, and what follows counts too', async t => {
  const ledger = await openLedger(t)
  await send(ledger, [award('2099-01-01T00:00:00.000Z', 100, 100), award(at('10:00:00.000'), 20, 20, { rule: 'ern_inv2' })])
  t.match(await cardOf(ledger), { balance: 100 })
  const { items: [line] } = (await ledger.get(`/v1/cards/${CARD}/explain`)).json<{ items: Array<{ points: number, remark: string }> }>()
  t.match(line, { points: 100, remark: /Its event is dated 2099-01-01T00:00:00.000000Z, more than a day after it was stored/ })
  await send(ledger, [award(new Date(Date.now() + 60_000).toISOString(), 5, 105, { rule: 'ern_inv3' })])
  t.match(await cardOf(ledger), { balance: 105 }, 'the balance is not frozen until 2099')
  const { attention } = (await ledger.get('/v1/status')).json<{ attention: Array<{ code: string }> }>()
  t.ok(attention.some(({ code }) => code === 'dated_ahead'), 'and the status says so')
})

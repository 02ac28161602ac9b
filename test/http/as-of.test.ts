import { sql } from 'kysely'
import { test, type Test } from 'tap'
import { cardsAt } from '../../src/history/cards-at.ts'
import { linesAt } from '../../src/history/statement.ts'
import { parseInstant, type Instant } from '../../src/ledger/instant.ts'
import { findCards } from '../../src/projections/cards/reads.sql.ts'
import type { Trx } from '../../src/postgres/database.ts'
import { inSnapshot } from '../../src/engine/snapshot.sql.ts'
import type { CardRow } from '../../src/postgres/tables.ts'
import { awardData, enveloped } from '../support/deliveries.ts'
import { openLedger, type TestLedger } from '../support/ledger.ts'

function instant (text: string): Instant {
  return parseInstant(text) as Instant
}

interface StatementLine { movement_id: string, kind: string, points: number, balance: number, occurred_at: string, recorded_at: string }

async function linesRead (trx: Trx): Promise<bigint> {
  const { rows: [read] } = await sql<{ lines: bigint }>`select sum(seq_tup_read + idx_tup_fetch) as lines from pg_stat_xact_user_tables where relname in ('statement_lines', 'movement_observations')`.execute(trx)
  return read?.lines ?? 0n
}

/** Posts, projects, and says when the last of it was recorded: the moment at which it was just known. */
async function observeFields (ledger: TestLedger, ...deliveries: object[]): Promise<string> {
  let position = ''
  for (const delivery of deliveries) {
    const answer = await ledger.post(delivery)
    if (answer.statusCode !== 202) throw new Error(answer.body)
    position = answer.json().position
  }
  await ledger.project()
  const [shard, at] = position.split(':')
  const { rows: [event] } = await ledger.owner.query<{ known_at: string }>(
    'select to_char(recorded_at at time zone \'UTC\', \'YYYY-MM-DD"T"HH24:MI:SS.US"Z"\') as known_at from ledger.events where shard = $1 and position = $2', [shard, at])
  return event?.known_at ?? ''
}

async function balance (ledger: TestLedger, query: string): Promise<Record<string, number | null>> {
  const answer = await ledger.get(`/v1/customers/cust_1/balance?${query}`)
  if (answer.statusCode !== 200) throw new Error(answer.body)
  return answer.json()
}

async function statement (ledger: TestLedger, path: string, limit = 500): Promise<StatementLine[]> {
  const items: StatementLine[] = []
  for (let cursor: string | null = ''; cursor !== null;) {
    const answer = await ledger.get(`${path}&limit=${limit}${cursor === '' ? '' : `&cursor=${cursor}`}`)
    if (answer.statusCode !== 200) throw new Error(answer.body)
    const page: { items: StatementLine[], next_cursor: string | null } = answer.json()
    items.push(...page.items)
    cursor = page.next_cursor
  }
  return items
}

const short = (lines: StatementLine[]): Array<[string, number, number]> => lines.map(({ kind, points, balance }) => [kind, points, balance])

function pendingLot (state: string, points: number, at: string): object {
  return {
    customer: { id: 'cust_1' },
    voucher: { id: 'v_1', code: 'CODE-v_1', type: 'LOYALTY_CARD', holder_id: 'cust_1' },
    pending_points: { id: 'lopp_1', voucher_id: 'v_1', points, created_at: at, updated_at: at },
    voucher_pending_points_balance: { points: state === 'added' ? points : -points, total: points },
    ...(state === 'added' ? {} : { voucher_pending_points_balance: { points: -points, total: 0 } })
  }
}

async function given (t: Test) {
  const ledger = await openLedger(t)
  const february5 = await observeFields(ledger,
    awardData({ rule: 'r1', points: 100, balance: 140, at: '2026-01-10T10:00:00Z' }),
    awardData({ rule: 'r2', points: 50, balance: 180, at: '2026-01-30T09:00:00Z' }),
    awardData({ rule: 'r3', points: 7, balance: 187, at: '2026-02-03T09:00:00Z' }))
  // An award of January is told late, in the middle of what stood as unexplained.
  const march = await observeFields(ledger, awardData({ rule: 'r4', points: 20, balance: 160, at: '2026-01-20T08:00:00Z' }))
  return { ledger, february5, march }
}

test('the balance at the end of January as it was known on 5 February, beside as it is known now', async t => {
  const { ledger, february5, march } = await given(t)
  const at = 'at=2026-01-31T23:59:59.999999Z'
  t.match(await balance(ledger, `${at}&known_at=${february5}`), {
    balance: 180, unexplained: -10, at: '2026-01-31T23:59:59.999999Z', known_at: february5, cards: [{ card_id: 'v_1', opening: 40, earned: 150, unexplained: -10, balance: 180, last_movement_at: '2026-01-30T09:00:00.000000Z' }]
  })
  for (const known of ['', `&known_at=${march}`]) {
    t.match(await balance(ledger, at + known), { balance: 180, unexplained: -30, cards: [{ opening: 40, earned: 170, unexplained: -30 }] })
  }
  t.match(await balance(ledger, 'at=2026-01-20T09:00:00%2B01:00'), { balance: 160, at: '2026-01-20T08:00:00.000000Z', known_at: null }, 'inclusive, in any zone')
  t.match(await balance(ledger, 'at=2026-01-20T07:59:59.999999Z'), { balance: 140 })
  t.match(await balance(ledger, `known_at=${february5}`), { balance: 187, unexplained: -10 }, 'inclusive on our clock too')
  t.match(await balance(ledger, ''), { balance: 187, unexplained: -30, at: null, known_at: null })

  t.match((await ledger.get(`/v1/cards/CODE-v_1?${at}&known_at=${february5}`)).json(), {
    card_id: 'v_1', customer_id: 'cust_1', balance: 180, movements: 2, first_movement_at: '2026-01-10T10:00:00.000000Z', last_movement_at: '2026-01-30T09:00:00.000000Z', at: '2026-01-31T23:59:59.999999Z', known_at: february5
  })
  t.match((await ledger.get('/v1/cards/v_1')).json(), { balance: 187, at: null, known_at: null })
})

test('a statement of then, with its unexplained lines in place and the running balance', async t => {
  const { ledger, february5 } = await given(t)
  const known = `known_at=${february5}`
  const asKnown = [['accrual', 7, 187], ['accrual', 50, 180], ['unexplained', -10, 130], ['accrual', 100, 140]]
  const asNow = [['accrual', 7, 187], ['accrual', 50, 180], ['unexplained', -30, 130], ['accrual', 20, 160], ['accrual', 100, 140]]
  for (const path of ['/v1/cards/v_1/statement', '/v1/customers/cust_1/statement', '/v1/cards/v_1/explain']) {
    // Pages of one line cross the seam between what is folded anew and what stands.
    for (const limit of [1, 2, 500]) {
      t.same(short(await statement(ledger, `${path}?${known}`, limit)), asKnown, `${path} by ${limit}`)
      t.same(short(await statement(ledger, `${path}?at=2026-01-31T00:00:00Z`, limit)), asNow.slice(1))
      t.same(short(await statement(ledger, `${path}?at=2026-01-31T00:00:00Z&${known}`, limit)), asKnown.slice(1))
      t.same(short(await statement(ledger, `${path}?at=2026-01-15T00:00:00Z&${known}`, limit)), asKnown.slice(3))
      t.same(await statement(ledger, `${path}?at=2025-01-15T00:00:00Z`, limit), [])
      t.same(short(await statement(ledger, `${path}?known_at=2125-01-01T00:00:00Z`, limit)), asNow)
    }
  }
})

test('a better-source_rank telling that comes later changes points and time from then on, not before', async t => {
  const ledger = await openLedger(t)
  const data = awardData({ rule: 'r1', points: 10, at: '2026-01-31T23:59:00Z' })
  const first = await observeFields(ledger, data)
  const second = await observeFields(ledger, enveloped({ ...data, balance: { ...data.balance, points: 12 } }, { id: 'ev_1', at: '2026-02-01T00:00:01Z' }))
  const january = 'at=2026-02-01T00:00:00Z'
  t.match(await balance(ledger, `${january}&known_at=${first}`), { balance: 10 })
  t.match(await balance(ledger, `${january}&known_at=${second}`), { balance: 0 }, 'by what came later it happened in February')
  t.match(await balance(ledger, `known_at=${second}`), { balance: 12 })
  const [line] = await statement(ledger, `/v1/cards/v_1/statement?known_at=${first}`)
  t.match(line, { points: 10, occurred_at: '2026-01-31T23:59:00.000000Z', recorded_at: first })
  t.match((await statement(ledger, '/v1/cards/v_1/statement?'))[0], { points: 12, recorded_at: first }, 'when it became known does not change')
})

test('pending points of then', async t => {
  const ledger = await openLedger(t)
  const added = await observeFields(ledger, awardData({ points: 1 }), enveloped(pendingLot('added', 30, '2026-01-02T00:00:00Z'), { id: 'ev_a', eventType: 'voucher.loyalty_card.pending_points.added', at: '2026-01-02T00:00:00Z' }))
  const canceled = await observeFields(ledger, enveloped(pendingLot('canceled', 30, '2026-01-05T00:00:00Z'), { id: 'ev_c', eventType: 'voucher.loyalty_card.pending_points.canceled', at: '2026-01-05T00:00:00Z' }))
  const expected: Array<[query: string, pending: number]> = [
    ['', 0],
    [`known_at=${added}`, 30],
    [`known_at=${canceled}`, 0],
    ['at=2026-01-04T00:00:00Z', 30],
    ['at=2026-01-05T00:00:00Z', 0],
    [`at=2026-01-01T23:00:00Z&known_at=${added}`, 0]
  ]
  for (const [query, pending] of expected) t.match(await balance(ledger, query), { pending, cards: [{ pending }] }, query)
})

test('who held a card then: it moves with its history, and a card of nobody yet is on no list', async t => {
  const ledger = await openLedger(t)
  const before = await observeFields(ledger, awardData({ customer: 'cust_1', rule: 'r1', points: 5, at: '2026-01-02T00:00:00Z' }), awardData({ customer: 'cust_2', card: 'v_2', rule: 'r9' }))
  const after = await observeFields(ledger, awardData({ customer: 'cust_2', rule: 'r2', points: 6, at: '2026-01-09T00:00:00Z' }))
  const holdings = async (query: string): Promise<unknown[]> => await Promise.all(['cust_1', 'cust_2'].map(async customer =>
    (await ledger.get(`/v1/customers/${customer}/balance?${query}`)).json().cards.map((card: { card_id: string, balance: number }) => [card.card_id, card.balance])))
  t.same(await holdings(''), [[], [['v_1', 11], ['v_2', 10]]])
  t.same(await holdings(`known_at=${after}`), [[], [['v_1', 11], ['v_2', 10]]])
  t.same(await holdings(`known_at=${before}`), [[['v_1', 5]], [['v_2', 10]]])
  t.same(await holdings('at=2026-01-08T23:59:59Z'), [[['v_1', 5]], [['v_2', 10]]])
  t.same(await holdings('at=2026-01-01T00:00:00Z'), [[], []], 'before anything was told of a card it is not shown')
  t.same(short(await statement(ledger, '/v1/customers/cust_1/statement?at=2026-01-08T00:00:00Z')), [['accrual', 5, 5]])
  t.same(await statement(ledger, '/v1/customers/cust_1/statement?'), [])
  t.match((await ledger.get('/v1/cards/v_1?at=2026-01-08T00:00:00Z')).json(), { customer_id: 'cust_1', balance: 5 })
  t.match((await ledger.get('/v1/cards/v_1?at=2025-01-08T00:00:00Z')).json(), { customer_id: null, balance: 0, movements: 0, first_movement_at: null })
  t.match((await ledger.get('/v1/customers/cust_1/balance?known_at=2020-01-01T00:00:00Z')).json(), { customer_id: 'cust_1', balance: 0, cards: { length: 0 } }, 'a customer of whom nothing was known yet has nothing')
})

test('over several cards a page goes on where the last one ended, on both sides of the seam', async t => {
  const ledger = await openLedger(t)
  const many = (from: number, to: number): object[] => Array.from({ length: to - from }, (_, index) => from + index).map(n =>
    awardData({ card: `v_${n % 3}`, rule: `r${n}`, points: n, ...(n % 4 === 0 ? { balance: n * 10 } : {}), at: `2026-01-01T00:00:0${n % 5}Z` }))
  const known = await observeFields(ledger, ...many(0, 15))
  const whole = await statement(ledger, '/v1/customers/cust_1/statement?')
  const plain = await ledger.get('/v1/customers/cust_1/statement?limit=2')
  await observeFields(ledger, ...many(15, 30))
  const path = `/v1/customers/cust_1/statement?known_at=${known}`
  for (const limit of [1, 2, 5, 500]) t.same(await statement(ledger, path, limit), whole, `by ${limit}`)
  t.not((await statement(ledger, '/v1/customers/cust_1/statement?')).length, whole.length)

  const { next_cursor } = (await ledger.get(`${path}&limit=2`)).json()
  const refused = [
    `/v1/customers/cust_1/statement?cursor=${next_cursor}`,
    `${path}&at=2026-01-01T00:00:03Z&cursor=${next_cursor}`,
    `/v1/customers/cust_1/statement?known_at=2026-01-01T00:00:03Z&cursor=${next_cursor}`,
    `${path}&cursor=${plain.json().next_cursor}`
  ]
  for (const page of refused) t.match((await ledger.get(page)).json(), { status: 400, code: 'cursor_invalid' }, page)
})

test('a long card: a page and a balance cost what stands behind the moment asked for, not what stands before', async t => {
  const ledger = await openLedger(t, { shards: 1 })
  await observeFields(ledger, awardData({ rule: 'r0', points: 5, at: '2020-01-01T00:00:00Z' }))
  await ledger.owner.query(`
    with made as (
      select 'm' || n as movement_id, timestamptz '2021-01-01' + n * interval '1 minute' as occurred_at, 5 + n as balance from generate_series(1, 20000) n
    ), told as (
      insert into projection.movement_observations
      select movement_id, 'v_1', 'e' || movement_id, '-', 4, 'accrual', 1, balance, null, occurred_at, occurred_at, null, null, 'cust_1', null, sha256('') from made
    )
    insert into projection.statement_lines (card_id, occurred_at, ordinal, movement_id, kind, points, balance, reported_balance, observed, exact, recorded_at, event_id)
    select 'v_1', occurred_at, 0, movement_id, 'accrual', 1, balance, balance, false, true, occurred_at, 'e' || movement_id from made`)
  await ledger.owner.query("update projection.cards set balance = 20005, earned = 20005, movements = 20001, last_movement_at = timestamptz '2021-01-01' + 20000 * interval '1 minute' where card_id = 'v_1'")
  const late = await observeFields(ledger, awardData({ rule: 'late', points: 7, at: '2021-01-14T21:00:00Z' }))
  const before = instant(late.replace(/\d{3}Z$/, '000Z'))
  t.match((await ledger.get(`/v1/cards/v_1?known_at=${late}`)).json(), { balance: 20005, movements: 20002, unexplained: -7 })
  t.match((await ledger.get(`/v1/cards/v_1?known_at=${before}`)).json(), { balance: 20005, movements: 20001, unexplained: 0 })
  t.match((await ledger.get(`/v1/cards/v_1?known_at=${before}&at=2021-01-14T21:00:00Z`)).json(), { balance: 5 + 19980, movements: 19981 })
  t.match((await statement(ledger, `/v1/cards/v_1/statement?known_at=${before}&at=2021-01-01T00:03:00Z`)).map(({ balance }) => balance), [8, 7, 6, 5])

  const reads: Array<[what: string, read: (trx: Trx) => Promise<unknown>]> = [
    ['a page in the middle', async trx => await linesAt(trx, ['v_1'], { at: instant('2021-01-05T00:00:00Z'), known_at: null }, { limit: 3 })],
    ['a page of what was known', async trx => await linesAt(trx, ['v_1'], { at: null, known_at: before }, { limit: 3 })],
    ['a recent balance', async trx => await cardsAt(trx, await findCards(trx, 'v_1', 1), { at: instant('2021-01-14T21:10:00Z'), known_at: before })]
  ]
  await assertFewRead(t, ledger, reads, 200n)

  const [longAgo, then] = [instant('2021-01-02T00:00:30Z'), instant('2021-01-03T12:00:00Z')]
  const balanceAt = async (trx: Trx, at: Instant): Promise<CardRow | undefined> => (await cardsAt(trx, await findCards(trx, 'v_1', 1), { at, known_at: null }))[0]
  t.match(await inSnapshot(ledger.db, async trx => await balanceAt(trx, longAgo)), { balance: 5n + 1440n, earned: 5n + 1440n, movements: 1441n })
  await ledger.owner.query(`
    update projection.statement_lines set running_totals = json_build_object(
      'opening', '0', 'earned', balance::text, 'spent', '0', 'refunded', '0', 'expired', '0', 'adjusted', '0', 'transferred', '0', 'unexplained', '0', 'movements', (balance - 4)::text)
    where (balance - 4) % 256 = 0 and occurred_at < $1`, [then])
  t.match(await inSnapshot(ledger.db, async trx => await balanceAt(trx, longAgo)), { balance: 5n + 1440n, earned: 5n + 1440n, movements: 1441n }, 'the same from a running_totals')
  await assertFewRead(t, ledger, [
    ['a balance of long ago', async trx => await balanceAt(trx, longAgo)],
    ['a balance before the first running_totals', async trx => await balanceAt(trx, instant('2021-01-01T00:10:00Z'))]
  ], 600n)
})

async function assertFewRead (t: Test, ledger: TestLedger, reads: ReadonlyArray<[what: string, read: (trx: Trx) => Promise<unknown>]>, most: bigint): Promise<void> {
  for (const [what, read] of reads) {
    const lines = await inSnapshot(ledger.db, async trx => {
      const before = await linesRead(trx)
      await read(trx)
      return await linesRead(trx) - before
    })
    t.ok(lines > 0n && lines < most, `${what} reads ${lines} of 20000 lines`)
  }
}

test('a time that is not one moment is refused, with what to send', async t => {
  const { ledger } = await given(t)
  const refused: Array<[text: string, detail: RegExp]> = [
    ['2026-01-31', /is a day.*Send a moment with its time zone/],
    ['2026-01-31T23:59:59', /has no time zone/],
    ['2026-01-31T23:59:59+01:00', /written %2B/],
    ['2026-01-31T23:59:59+0100', /written %2B/],
    ['yesterday', /not an RFC 3339/],
    ['', /not an RFC 3339/],
    ['2026-02-30T00:00:00Z', /not an RFC 3339/]
  ]
  for (const path of ['/v1/customers/cust_1/balance', '/v1/customers/cust_1/statement', '/v1/cards/v_1', '/v1/cards/v_1/statement', '/v1/cards/v_1/explain']) {
    for (const [text, detail] of refused) {
      for (const name of ['at', 'known_at']) {
        const answer = await ledger.get(`${path}?${name}=${text}`)
        t.match(answer.json(), { status: 400, code: 'time_invalid', detail }, `${path} ${name}=${text}`)
        t.match(answer.json().detail, new RegExp(`^${name}: `))
      }
    }
    t.equal((await ledger.get(`${path}?at=9999-12-31T23:59:59.999999Z&known_at=0001-01-01T00:00:00Z`)).statusCode, 200)
  }
  t.match((await ledger.get('/v1/customers/nobody/balance?at=2026-01-31T00:00:00Z')).json(), { code: 'customer_not_found' })
  t.match((await ledger.get('/v1/cards/nothing?at=2026-01-31T00:00:00Z')).json(), { code: 'card_not_found' })
})

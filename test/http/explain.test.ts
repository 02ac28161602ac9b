import { sql } from 'kysely'
import { test } from 'tap'
import { explainLines } from '../../src/history/explain.ts'
import { listCardLines } from '../../src/projections/cards/reads.sql.ts'
import type { Trx } from '../../src/postgres/database.ts'
import { inSnapshot } from '../../src/engine/snapshot.sql.ts'
import { awardData, enveloped, seeds } from '../support/deliveries.ts'
import { openLedger, type TestLedger } from '../support/ledger.ts'

interface Explained {
  movement_id: string
  observed_in: Array<{ event_id: string, source_rank: string, recorded_at: string }>
  recomputed: unknown
  remark: string | null
}

async function explain (ledger: TestLedger, query = ''): Promise<Explained[]> {
  const answer = await ledger.get(`/v1/cards/v_1/explain?${query}`)
  if (answer.statusCode !== 200) throw new Error(answer.body)
  return answer.json().items
}

/** A row of the provider's own ledger that tells the same award. */
function row (points: number, balance: number): object {
  return enveloped({
    transaction: {
      id: 'vtx_1',
      voucher_id: 'v_1',
      type: 'POINTS_ACCRUAL',
      created_at: '2026-01-01T10:00:03.000Z',
      reason: 'because',
      details: { balance: { points, balance }, event: { id: 'evcus_1' }, earning_rule: { id: 'ern_1' } }
    },
    voucher: { id: 'v_1', type: 'LOYALTY_CARD', holder_id: 'cust_1' },
    earning_rule: { id: 'ern_1', parameters: { loyalty: { type: 'FIXED', points: 12 } } }
  }, { id: 'ev_row', eventType: 'voucher.loyalty_card.transaction.created', sendOut: 'whs_row' })
}

test('why does she have 900 points? the sample, explained', async t => {
  const ledger = await openLedger(t)
  const { position } = (await ledger.post(seeds.award)).json()
  await ledger.project()
  const answer = await ledger.get('/v1/cards/L0y4L/explain')
  const { items, next_cursor } = answer.json()
  const { rows: [event] } = await ledger.owner.query('select *, encode(body_digest, \'hex\') as body, encode(fact_digest, \'hex\') as facts from ledger.events')
  const key = { event_id: 'evcus_0e2905d4db185a04ad', subject: event.subject }
  t.equal(next_cursor, null)
  t.match(items, [{
    kind: 'accrual',
    points: 900,
    balance: 900,
    observed_in: [{
      ...key,
      type: 'customer.rewarded.loyalty_points',
      position,
      sender_kind: null,
      source_rank: 'bare',
      body_digest: event.body,
      fact_digest: event.facts,
      says: { kind: 'accrual', points: 900, reported_balance: 900, order_id: 'ord_CkH2s0T5xJkK0x5pGYXoBaFn', earning_rule_id: 'ern_FQxftbKUq9E93k00Z3qkC0sX', details: { trigger_type: 'customer.order.paid' } }
    }],
    won: { kind: key, points: key, reported_balance: key, occurred_at: key, order_id: key, earning_rule_id: key },
    recomputed: { points: 900, agrees: true, base: '45000', rule: '10 points for every 500 of order.total_amount', remark: null },
    gap: null,
    remark: null
  }])
})

test('every event that told a line, best source_rank first, and which of them won which field', async t => {
  const ledger = await openLedger(t)
  const data = { ...awardData({ points: 10, balance: 110 }), order: { id: 'ord_1' } }
  await ledger.post(data)
  await ledger.post(enveloped(data, { id: 'ev_env', source: 'distribution' }))
  await ledger.post(row(12, 112))
  await ledger.project()
  const [line] = await explain(ledger)
  t.match(line, {
    points: 12,
    event_id: 'ev_row',
    observed_in: [
      { event_id: 'ev_row', source_rank: 'transaction', sender_kind: 'webhook', send_out_id: 'whs_row', channel: 'API', says: { points: 12, order_id: null, details: { transaction_id: 'vtx_1', reason: 'because' } } },
      { event_id: 'ev_env', source_rank: 'enveloped', sender_kind: 'distribution', sender_id: 'dist_1', says: { points: 10, order_id: 'ord_1' } },
      { event_id: 'evcus_1', source_rank: 'bare', sender_kind: null }
    ],
    won: { points: { event_id: 'ev_row', subject: 'transaction:vtx_1' }, order_id: { event_id: 'ev_env', subject: 'award:ern_1:v_1' }, occurred_at: { event_id: 'ev_row' } },
    recomputed: { points: 12, agrees: true, rule: '12 points, fixed' },
    remark: 'The card held 100 points before this line, which is the first one known: that is its opening balance.'
  })
  t.equal(line?.observed_in.length, 3)

  const known = line?.observed_in[1]?.recorded_at ?? ''
  const [then] = await explain(ledger, `known_at=${known}`)
  t.match(then, { points: 10, observed_in: [{ event_id: 'ev_env' }, { event_id: 'evcus_1' }], won: { points: { event_id: 'ev_env' } } }, 'as it was known: by those who had told it')
  t.equal(then?.observed_in.length, 2)
})

test('an unexplained line says between which two it stands, and what is missing', async t => {
  const ledger = await openLedger(t)
  for (const [rule, points, balance, day] of [['r1', 100, 140, 10], ['r2', 5, 145, 11], ['r3', 50, 165, 20]] as const) {
    await ledger.post(awardData({ rule, points, balance, at: `2026-01-${day}T10:00:00Z` }))
  }
  await ledger.project()
  const whole = await explain(ledger)
  t.match(whole[1], {
    kind: 'unexplained',
    points: -30,
    observed_in: { length: 0 },
    won: null,
    recomputed: null,
    gap: { after_movement_id: 'award:evcus_1:r2:v_1', before_movement_id: 'award:evcus_1:r3:v_1', our_balance: 145, implied_balance: 115 },
    remark: /imply a balance of 115; by the known movements it was 145\. 30 points went in a way that no known event explains/
  })
  t.same(whole.map(({ movement_id }) => movement_id), ['award:evcus_1:r3:v_1', 'unexplained:award:evcus_1:r3:v_1', 'award:evcus_1:r2:v_1', 'award:evcus_1:r1:v_1'])

  const paged: Explained[] = []
  for (let cursor = ''; ;) {
    const page = (await ledger.get(`/v1/cards/v_1/explain?limit=1${cursor}`)).json()
    paged.push(...page.items)
    if (page.next_cursor === null) break
    cursor = `&cursor=${page.next_cursor}`
  }
  t.same(paged, whole, 'the same by pages of one line: neighbours on other pages are named, and only the first line opens the card')
})

test('what the rule gives beside what the provider says: a difference is a remark', async t => {
  const ledger = await openLedger(t)
  const award = (rule: string, points: number, loyalty: object | null): object => ({ ...awardData({ rule, points }), earning_rule: { id: rule, ...(loyalty === null ? {} : { loyalty }) } })
  await ledger.post(award('r1', 5, { type: 'FIXED', points: 4 }))
  await ledger.post(award('r2', 5, { type: 'FORMULA' }))
  await ledger.post(award('r3', 5, null))
  await ledger.post(enveloped(award('r3', 5, { type: 'FIXED', points: 5 }), { id: 'ev_3' }))
  await ledger.project()
  const lines = new Map((await explain(ledger)).map(line => [line.movement_id, line]))
  t.match(lines.get('award:evcus_1:r1:v_1'), { points: 5, recomputed: { points: 4, agrees: false, remark: /the provider's figure stands/ }, remark: null })
  t.match(lines.get('award:evcus_1:r2:v_1'), { recomputed: null, remark: /"FORMULA".*cannot be recomputed/ })
  t.match(lines.get('award:evcus_1:r3:v_1'), { recomputed: { points: 5, agrees: true }, remark: null }, 'from whichever telling carries the rule')
  t.match((await ledger.get('/v1/cards/v_1')).json(), { balance: 15 }, 'and nothing is corrected')
})

test('a page reads the events that told it, and no more of the log', async t => {
  const ledger = await openLedger(t, { shards: 1 })
  for (let index = 0; index < 400; index++) await ledger.post(awardData({ rule: `r${index}`, trigger: `evcus_${index}`, points: 1 }))
  await ledger.project()
  const read = await inSnapshot(ledger.db, async trx => {
    const rows = await listCardLines(trx, 'v_1', { limit: 3 })
    const before = await eventsRead(trx)
    await explainLines(trx, 'v_1', rows, undefined, { at: null, known_at: null })
    return await eventsRead(trx) - before
  })
  t.ok(read > 0n && read < 20n, `${read} reads of events`)
})

async function eventsRead (trx: Trx): Promise<bigint> {
  const { rows: [read] } = await sql<{ events: bigint }>`select sum(seq_tup_read + idx_tup_fetch) as events from pg_stat_xact_user_tables where relname = 'events'`.execute(trx)
  return read?.events ?? 0n
}

test('figures of any size, large bodies, and cards that are not there', async t => {
  const ledger = await openLedger(t, { bodyLimitBytes: 2_000_000 })
  for (let index = 0; index < 20; index++) {
    await ledger.post({ ...awardData({ rule: `r${index}`, points: 9_007_199_254_740_991 }), earning_rule: { id: `r${index}`, loyalty: { type: 'FIXED', points: 9_007_199_254_740_991 } }, filler: 'x'.repeat(1_000_000) })
  }
  await ledger.project()
  const answer = await ledger.get('/v1/cards/v_1/explain?limit=500')
  t.equal(answer.json().items.length, 20)
  t.match(answer.body, '"balance":180143985094819820,')
  t.equal(answer.body.match(/"recomputed":\{"points":9007199254740991,"agrees":true/g)?.length, 20)
  t.match((await ledger.get('/v1/cards/nothing/explain')).json(), { status: 404, code: 'card_not_found' })
  t.match((await ledger.get('/v1/cards/v_1/explain?cursor=rubbish')).json(), { status: 400, code: 'cursor_invalid' })
})

// The status of a ledger that is healthy, lagging, parked, outdated or being rebuilt, at a cost that does not grow.
import { sql } from 'kysely'
import { test } from 'tap'
import { projections } from '../../src/projections/index.ts'
import { cards } from '../../src/projections/cards/projection.ts'
import { orders } from '../../src/projections/orders/projection.ts'
import { abandonRebuild, beginRebuild, buildUp } from '../../src/engine/rebuild/rebuild.ts'
import { startWorker, type WorkerHealth } from '../../src/engine/worker.ts'
import { statusOf, type LedgerStatus } from '../../src/engine/status.ts'
import { databaseOf, type Trx } from '../../src/postgres/database.ts'
import { createKey } from '../../src/access/api-keys.sql.ts'
import { quarantine } from '../../src/ingest/quarantine/quarantine.sql.ts'
import { shardOf } from '../../src/log/shards.sql.ts'
import { inSnapshot } from '../../src/engine/snapshot.sql.ts'
import { ledgerStateWithin } from '../../src/engine/status.sql.ts'
import { awardData, enveloped, orderData } from '../support/deliveries.ts'
import { openLedger, type TestLedger } from '../support/ledger.ts'
import { waitUntil } from '../support/wait.ts'
import { openWorkplace } from '../support/workplace.ts'

const names = projections.map(({ name }) => name)
const ZEROS = '0'.repeat(64)

/** As an answer carries it: points and counts are numbers. */
type Answer = LedgerStatus & { projections: Array<{ lag_events: number }>, log: { events: number } }

async function status (ledger: TestLedger): Promise<Answer> {
  const answer = await ledger.get('/v1/status')
  if (answer.statusCode !== 200) throw new Error(answer.body)
  return answer.json()
}

const codes = ({ attention }: LedgerStatus): string[] => attention.map(({ code }) => code)
const projection = (of: Answer, name: string) => of.projections.find(one => one.name === name)

/** As if an event had come in some time ago. */
async function makeOlder (ledger: TestLedger, seconds: number): Promise<void> {
  await ledger.owner.query('alter table ledger.events disable trigger user')
  await ledger.owner.query("update ledger.events set recorded_at = recorded_at - $1 * interval '1 second'", [seconds])
}

test('a new ledger, and one in order', async t => {
  const ledger = await openLedger(t, { shards: 4 })
  t.match(await status(ledger), {
    attention: { length: 0 },
    projections: projections.map(({ name, version }) => ({ name, version, code_version: version, outdated: false, lag_events: 0, lag_seconds: 0, parked: 0, oldest_parked_at: null })),
    rebuild: { length: 0 },
    quarantine: { open: 0, conflicts: 0, reasons: { length: 0 } },
    log: { events: 0, newest_recorded_at: null, silence_seconds: null, shards: [0, 1, 2, 3].map(shard => ({ shard, head: 0, chain: ZEROS, newest_recorded_at: null })) },
    worker: null
  })
  await ledger.owner.query('delete from projection.checkpoints')
  t.strictSame(codes(await status(ledger)), [], 'before the first worker nothing is outdated either')

  await ledger.post(awardData({ rule: 'ern_1' }))
  await ledger.post(awardData({ rule: 'ern_2' }))
  t.match((await status(ledger)).projections, names.map(name => ({ name, version: null, outdated: false, lag_events: 2 })), 'the first worker begins them')
  const worker = startWorker(ledger.steps, { projections, batch: 10 })
  t.teardown(() => worker.stop())
  await waitUntil(async () => (await status(ledger)).projections.every(({ lag_events }) => Number(lag_events) === 0))
  const shard = shardOf('cust_1', 4)
  const { rows: [head] } = await ledger.owner.query("select encode(chain, 'hex') as chain from ledger.events order by position desc limit 1")
  const now = await status(ledger)
  t.strictSame(now.attention, [])
  t.match(now.log, { events: 2, newest_recorded_at: /Z$/ })
  t.match(now.log.shards[shard], { shard, head: 2, chain: head.chain, newest_recorded_at: now.log.newest_recorded_at })
  t.ok(now.log.silence_seconds !== null && now.log.silence_seconds >= 0 && now.log.silence_seconds < 60, `${now.log.silence_seconds} s`)
})

test('what lags: by events, by the age of the oldest, and for too long', async t => {
  const ledger = await openLedger(t, { shards: 4 })
  await ledger.post(awardData({ rule: 'ern_1' }))
  await ledger.project()
  await makeOlder(ledger, 3600)
  await ledger.post(awardData({ rule: 'ern_2' }))
  await ledger.post(awardData({ rule: 'ern_3', customer: 'cust_2' }))
  const young = await status(ledger)
  t.match(projection(young, 'cards'), { lag_events: 2, lag_seconds: Number })
  t.ok((projection(young, 'cards')?.lag_seconds ?? -1) < 60, 'what is folded already does not age')
  t.strictSame(codes(young), [])

  await makeOlder(ledger, 100)
  const old = await status(ledger)
  t.ok((projection(old, 'orders')?.lag_seconds ?? 0) >= 100)
  t.ok((old.log.silence_seconds ?? 0) >= 100)
  t.match(old.attention, [{ code: 'lagging', detail: /cards is behind by 2 event\(s\), the oldest stored 1\d\d s ago/ }])
  await ledger.project()
  t.strictSame((await status(ledger)).attention, [])
})

test('a hole in the log is named, once', async t => {
  const ledger = await openLedger(t, { shards: 1 })
  await ledger.post(awardData({ rule: 'ern_1' }))
  await ledger.project()
  for (const rule of ['ern_2', 'ern_3']) await ledger.post(awardData({ rule }))
  await ledger.owner.query('alter table ledger.events disable trigger user')
  await ledger.owner.query('delete from ledger.events where position = 2')
  const torn = await status(ledger)
  t.match(projection(torn, 'cards'), { lag_events: 2, lag_seconds: null })
  t.match(torn.attention, [{ code: 'log_gap', detail: /lacks 0:2,/ }])
  t.equal(torn.attention.length, 1)
})

test('what is parked shows on the status, the card, the balance and the order, until it is redriven', async t => {
  const ledger = await openLedger(t, { shards: 2 })
  await ledger.owner.query("alter table projection.cards add constraint poisoned check (card_id <> 'v_2' or earned < 3)")
  await ledger.owner.query("alter table projection.orders add constraint poisoned check (order_id <> 'ord_2' or status <> 'FULFILLED')")
  for (const card of ['v_1', 'v_2']) await ledger.post(awardData({ card, points: 1 }))
  for (const id of ['ord_1', 'ord_2']) await ledger.post(orderData({ id }))
  await ledger.project()
  const healthy = { card: (await ledger.get('/v1/cards/v_2')).json(), order: (await ledger.get('/v1/orders/ord_2')).json() }
  t.equal(healthy.card.parked_at, null)
  t.equal(healthy.order.parked_at, null)
  for (const card of ['v_1', 'v_2']) await ledger.post(awardData({ card, rule: 'ern_2', points: 5 }))
  for (const id of ['ord_1', 'ord_2']) await ledger.post(orderData({ id, status: 'FULFILLED', updatedAt: '2026-01-02T00:00:00Z' }))
  await ledger.project()

  const parked_at = (await ledger.get('/v1/cards/v_2')).json().parked_at as string
  t.match(parked_at, /^\d{4}-\d\d-\d\dT.*Z$/)
  t.match((await ledger.get('/v1/cards/CODE-v_2')).json(), { balance: 1, parked_at }, 'as before the event')
  t.equal((await ledger.get('/v1/cards/v_1')).json().parked_at, null)
  const at = '?at=2026-01-01T11:00:00Z'
  for (const asOf of ['', at, '?known_at=2100-01-01T00:00:00Z']) {
    t.match((await ledger.get(`/v1/customers/cust_1/balance${asOf}`)).json().cards, [{ card_id: 'v_1', balance: 6, parked_at: null }, { card_id: 'v_2', balance: 1, parked_at }], `balance${asOf}`)
  }
  t.match((await ledger.get(`/v1/cards/v_2${at}`)).json(), { parked_at })
  t.match((await ledger.get('/v1/orders/ord_2')).json(), { status: 'PAID', parked_at: /Z$/ })
  t.match((await ledger.get('/v1/customers/cust_1/orders')).json().items, [{ order_id: 'ord_2', parked_at: /Z$/ }, { order_id: 'ord_1', parked_at: null }])

  const still = await status(ledger)
  t.match(projection(still, 'cards'), { lag_events: 0, lag_seconds: 0, parked: 1, oldest_parked_at: parked_at })
  t.match(projection(still, 'orders'), { parked: 1 })
  t.match(still.attention, [{ code: 'parked', detail: /^1 key of orders is parked since/ }, { code: 'parked', detail: /^1 key of cards is parked.*parked list/ }])

  await ledger.owner.query('alter table projection.cards drop constraint poisoned; alter table projection.orders drop constraint poisoned')
  const worker = startWorker(ledger.steps, { projections, batch: 10 })
  t.teardown(() => worker.stop())
  await waitUntil(async () => (await ledger.get('/v1/cards/v_2')).json().parked_at === null && (await ledger.get('/v1/orders/ord_2')).json().parked_at === null)
  t.equal((await ledger.get('/v1/cards/v_2')).json().balance, 6)
  t.strictSame((await status(ledger)).attention, [])
})

test('rows of another version of the rules wait for a rebuild, and say nothing of lag', async t => {
  const ledger = await openLedger(t, { shards: 2 })
  await ledger.post(awardData())
  await ledger.project()
  await ledger.owner.query("update projection.checkpoints set version = 99 where projection = 'cards'; delete from projection.checkpoints where projection = 'tiers'")
  await ledger.post(awardData({ rule: 'ern_2' }))
  await ledger.project()
  await makeOlder(ledger, 1000)
  const now = await status(ledger)
  t.match(projection(now, 'cards'), { version: 99, code_version: cards.version, outdated: true, lag_events: 1 })
  t.match(projection(now, 'tiers'), { version: null, outdated: true, lag_events: 2 })
  t.match(projection(now, 'orders'), { outdated: false, lag_events: 0 })
  t.match(now.attention, [{ code: 'outdated', detail: /tiers has no rows yet; the rows of cards are of version 99.*rebuild switch/ }])
  t.equal(now.attention.length, 1)
})

test('a rebuild shows with what it has to fold, and its coming and going never fails an answer', async t => {
  const ledger = await openLedger(t, { shards: 2 })
  for (const rule of ['ern_1', 'ern_2', 'ern_3']) await ledger.post(awardData({ rule }))
  await ledger.project()
  const workplace = openWorkplace(t, ledger.url)
  const chosen = projections.filter(({ name }) => name === 'cards' || name === 'orders')
  await beginRebuild(workplace, chosen)
  t.match((await status(ledger)).rebuild, [{ name: 'cards', version: cards.version, lag_events: 3 }, { name: 'orders', version: orders.version, lag_events: 3 }])
  await buildUp(workplace, chosen, { batch: 10 })
  const built = await status(ledger)
  t.match(built.rebuild, [{ name: 'cards', lag_events: 0 }, { name: 'orders', lag_events: 0 }])
  t.strictSame(built.attention, [])
  await abandonRebuild(workplace)
  t.strictSame((await status(ledger)).rebuild, [])

  const rebuilds = { coming: true }
  const asked = (async () => {
    let answers = 0
    for (; rebuilds.coming; answers++) await status(ledger)
    return answers
  })()
  for (let round = 0; round < 8; round++) {
    await beginRebuild(workplace, chosen)
    await abandonRebuild(workplace)
  }
  rebuilds.coming = false
  t.ok(await asked > 0)
})

test('types that are stored and not read are counted, once each, however often their events come', async t => {
  const ledger = await openLedger(t)
  for (const id of ['ev_1', 'ev_2', 'ev_1']) await ledger.post(enveloped({ customer: { id: 'cust_1' }, segment: { id: 'seg_1' } }, { id, eventType: 'customer.segment.entered' }))
  await ledger.post(enveloped({ customer: { id: 'cust_2' } }, { id: 'ev_3', eventType: 'customer.validation.failed' }))
  await ledger.post(enveloped({ customer: { id: 'cust_2' } }, { id: 'evcus_000000000000000000', eventType: 'customer.validation.failed' }))
  await ledger.post(awardData())
  t.strictSame((await ledger.get('/v1/status')).json().unread, [], 'not folded yet')
  await ledger.project()
  await ledger.project()
  t.strictSame((await ledger.get('/v1/status')).json().unread, [{ type: 'customer.segment.entered', events: 2 }, { type: 'customer.validation.failed', events: 1 }])
})

test('what is open in quarantine, by reason, and what contradicts', async t => {
  const ledger = await openLedger(t)
  const keep = async (text: string, reason: string): Promise<void> => { await quarantine(ledger.db, { provider: 'voucherify', body: Buffer.from(text), headers: {}, reason, detail: 'x' }) }
  for (const [text, reason] of [['1', 'not_json'], ['2', 'not_json'], ['3', 'conflict'], ['4', 'contradicts_movement'], ['5', 'not_json']] as const) await keep(text, reason)
  await ledger.owner.query("update ledger.quarantine set state = 'discarded', decided_at = now(), decided_by = 'x', discard_reason = 'x' where quarantine_id = 5")
  t.match(await status(ledger), {
    attention: { length: 0 },
    quarantine: { open: 4, conflicts: 2, reasons: [{ reason: 'not_json', open: 2 }, { reason: 'conflict', open: 1 }, { reason: 'contradicts_movement', open: 1 }].sort((a, b) => b.open - a.open || (a.reason < b.reason ? -1 : 1)) }
  })
})

test('the worker of this process, as it says of itself', async t => {
  const ledger = await openLedger(t, { shards: 1 })
  const state = await inSnapshot(ledger.db, async trx => await ledgerStateWithin(trx, names))
  const health: WorkerHealth = { alive: true, waiting: undefined, resting: [{ shard: 0, reason: 'too slow', failures: 3 }], outdated: [] }
  const observed = statusOf(state, projections, health)
  t.strictSame([observed.worker, observed.attention], [{ alive: true, waiting: null, resting: health.resting }, []])
  t.match(statusOf(state, projections, { ...health, alive: false }).attention, [{ code: 'worker_ended', detail: /restart/ }])
})

test('only operators: a key of scope read may not ask', async t => {
  const ledger = await openLedger(t)
  const owner = databaseOf(ledger.owner)
  const [reader, operator] = [await createKey(owner, 'shop', 'read'), await createKey(owner, 'on call', 'operate')]
  const ask = async (token: string) => await ledger.get('/v1/status', { authorization: `Bearer ${token}` })
  t.match((await ask(reader.token)).json(), { status: 403, code: 'scope_insufficient' })
  t.equal((await ledger.get('/v1/status')).statusCode, 401)
  t.equal((await ask(operator.token)).statusCode, 200)
  t.equal((await ledger.get('/v1/status?verbose=1', { authorization: `Bearer ${operator.token}` })).statusCode, 400)
})

test('it reads the ends of shards and what is open, however long the log and the quarantine are', async t => {
  const ledger = await openLedger(t, { shards: 2 })
  await ledger.owner.query(`
    insert into ledger.events (event_id, subject, provider, shard, position, type, recorded_at, test, body, body_bytes, body_digest, fact_digest, chain)
    select 'ev_' || s || '_' || n, '-', 'voucherify', s, n, 'x', now(), false, '{}', 2, sha256(''), sha256(''), sha256('') from generate_series(0, 1) s, generate_series(1, 10000) n`)
  await ledger.owner.query('update ledger.shards set head = 10000')
  await ledger.owner.query("update projection.checkpoints set position = 5000; update projection.checkpoints set position = 7 where projection = 'cards'")
  await ledger.owner.query(`
    insert into ledger.quarantine (provider, body, headers, reason, detail, state, decided_at, decided_by, discard_reason)
    select 'voucherify', convert_to(n::text, 'UTF8'), '{}', 'not_json', 'x', case when n > 10 then 'discarded' else 'open' end,
           case when n > 10 then now() end, case when n > 10 then 'x' end, case when n > 10 then 'x' end
    from generate_series(1, 10000) n`)
  const read = await inSnapshot(ledger.db, async trx => {
    const state = await ledgerStateWithin(trx, names)
    t.match(state.projections.map(({ lag_events }) => lag_events), [10000n, 10000n, 10000n, 10000n, 10000n, 19986n])
    t.match(state.quarantine, [{ reason: 'not_json', open: 10 }])
    return await rowsRead(trx)
  })
  t.ok(Number(read.events) >= 6 && Number(read.events) <= 2 + 2 * 2, `${read.events} events read, for 2 ends and 4 places`)
  t.ok(Number(read.quarantine) <= 20, `${read.quarantine} rows of quarantine read, of which 10 are open`)
})

async function rowsRead (trx: Trx): Promise<Record<string, bigint>> {
  const { rows } = await sql<{ name: string, read: bigint }>`
    select relname as name, seq_tup_read + coalesce(idx_tup_fetch, 0) as read from pg_stat_xact_user_tables where schemaname = 'ledger'`.execute(trx)
  return Object.fromEntries(rows.map(({ name, read }) => [name, read]))
}

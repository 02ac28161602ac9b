// A generation built beside the live one: compared, switched, broken off, gone on with.
import { sql } from 'kysely'
import { test } from 'tap'
import { storeDelivery } from '../../../src/ingest/store-delivery.ts'
import { cards } from '../../../src/projections/cards/projection.ts'
import { outdatedOf } from '../../../src/engine/rebuild/versions.ts'
import { projections } from '../../../src/projections/index.ts'
import { orders } from '../../../src/projections/orders/projection.ts'
import type { Projection } from '../../../src/engine/projection.ts'
import { abandonRebuild, beginRebuild, buildUp, switchRebuilt, underRebuild, type Workplace } from '../../../src/engine/rebuild/rebuild.ts'
import { diffRebuild } from '../../../src/engine/rebuild/diff.ts'
import { runStep } from '../../../src/engine/step.ts'
import { startWorker } from '../../../src/engine/worker.ts'
import { simulate } from '../../../simulator/simulate.ts'
import { readVersions } from '../../../src/engine/checkpoints.sql.ts'
import { awardData, orderData } from '../../support/deliveries.ts'
import { dumpProjections, openLedger, type TestLedger } from '../../support/ledger.ts'
import { dumpSchema } from '../../support/schema-dump.ts'
import { waitUntil } from '../../support/wait.ts'
import { openWorkplace } from '../../support/workplace.ts'

const BATCH = { batch: 200 }

async function fillSimulated (ledger: TestLedger, seed = 7, events = 200): Promise<void> {
  const intake = { db: ledger.db, appender: ledger.appender, shards: 16 }
  const deliveries = simulate({ seed, customers: 8, events, chaos: 'high' }).deliveries.filter(({ kind }) => kind !== 'forged')
  await Promise.all(deliveries.map(async ({ body }) => await storeDelivery(body, intake)))
}

async function rebuild (workplace: Workplace, chosen: readonly Projection[] = projections): Promise<void> {
  await beginRebuild(workplace, chosen)
  await buildUp(workplace, chosen, BATCH)
}

test('rebuilt and switched, rows, tables, views and rights are what they were; steps go on', async t => {
  const ledger = await openLedger(t)
  await fillSimulated(ledger)
  await ledger.project()
  const rows = await dumpProjections(ledger.owner)
  const schema = await dumpSchema(ledger.owner)
  const workplace = openWorkplace(t, ledger.url)

  await rebuild(workplace)
  t.same(await dumpProjections(ledger.owner), rows, 'the live rows stay as they are')
  t.match(await diffRebuild(workplace, projections, { ...BATCH, limit: 10 }), { customers: { total: 0n }, orders: { total: 0n }, cards: { total: 0n, points: 0n }, tables: { length: 0 }, parked: 0, apart: 0n })
  await switchRebuilt(workplace, projections, { ...BATCH, tries: 5 })
  t.same(await dumpProjections(ledger.owner), rows)
  t.equal(await dumpSchema(ledger.owner), schema, 'constraints, indexes, storage, comments, rights and views')
  t.same((await ledger.owner.query("select nspname from pg_namespace where nspname like 'projection%'")).rows, [{ nspname: 'projection' }], 'nothing is left over')

  await ledger.post(awardData({ card: 'v_later', points: 5 }))
  t.equal(await ledger.project(), 1)
  t.equal((await ledger.get('/v1/cards/v_later')).json().balance, 5)
  t.same((await ledger.owner.query("select balance from reporting.cards where card_id = 'v_later'")).rows, [{ balance: '5' }], 'the views show the new tables')
})

/** Rules that give a point more for each award. */
const generous: Projection = {
  ...cards,
  version: cards.version + 1,
  apply: async (trx, observed) => {
    await cards.apply(trx, observed.map(one => one.fact.fact === 'movement' && one.fact.kind === 'accrual'
      ? { ...one, fact: { ...one.fact, points: (one.fact.points ?? 0n) + 1n, reported_balance: null } }
      : one))
  }
}

test('another version of the rules: the old rows are served until the switch, the difference is named, and nobody mixes them', async t => {
  const ledger = await openLedger(t)
  await ledger.post(awardData({ card: 'v_1', points: 10, balance: null }))
  await ledger.post(awardData({ card: 'v_2', customer: 'cust_2', points: 20, balance: null }))
  await ledger.post(orderData())
  await ledger.project()
  const code = projections.map(projection => projection.name === 'cards' ? generous : projection)
  t.same(outdatedOf(code, await readVersions(ledger.db)), [{ name: 'cards', version: generous.version, live: cards.version }])

  await ledger.post(awardData({ card: 'v_1', rule: 'ern_2', points: 5, balance: null }))
  while (await runStep(ledger.steps, code, BATCH) !== undefined);
  t.equal((await ledger.get('/v1/cards/v_1')).json().balance, 10, 'the new rules fold nothing into the old rows')
  t.equal(await ledger.project(), 1, 'but a worker of the old version does')

  const workplace = openWorkplace(t, ledger.url)
  await rebuild(workplace, [generous])
  t.equal((await ledger.get('/v1/cards/v_1')).json().balance, 15)
  t.match(await diffRebuild(workplace, [generous], { ...BATCH, limit: 1 }), {
    cards: { total: 2n, points: 3n, items: [{ card_id: 'v_1', customer_id: 'cust_1', balance_before: 15n, balance_after: 17n }] },
    tables: [{ table: 'cards', rows_for: 2n }, { table: 'statement_lines', rows_for: 2n }, { table: 'movement_observations', rows_for: 2n }],
    apart: 0n
  })
  await switchRebuilt(workplace, [generous], { ...BATCH, tries: 5 })
  t.equal((await ledger.get('/v1/cards/v_1')).json().balance, 17)
  t.same(outdatedOf(code, await readVersions(ledger.db)), [])

  await ledger.post(awardData({ card: 'v_1', rule: 'ern_3', points: 1, balance: null }))
  t.equal(await ledger.project(), 1, 'a worker of the old version goes on with the other projections')
  t.equal((await ledger.get('/v1/cards/v_1')).json().balance, 17, 'and leaves these rows alone')
  while (await runStep(ledger.steps, code, BATCH) !== undefined);
  t.equal((await ledger.get('/v1/cards/v_1')).json().balance, 19)
})

test('a projection that was never there is not shown half built: it waits for a rebuild', async t => {
  const ledger = await openLedger(t)
  await ledger.post(awardData())
  await ledger.owner.query("delete from projection.checkpoints where projection = 'tiers'")
  const worker = startWorker(ledger.steps, { projections, batch: 10 })
  t.teardown(() => worker.stop())
  await waitUntil(() => worker.health().outdated.length === 1)
  t.match(worker.health(), { alive: true, outdated: [{ name: 'tiers', version: 1, live: undefined }] })
  t.equal((await ledger.get('/v1/cards/v_1')).statusCode, 200, 'the others go on')
  const workplace = openWorkplace(t, ledger.url)
  const tiers = projections.filter(({ name }) => name === 'tiers')
  await rebuild(workplace, tiers)
  await switchRebuilt(workplace, tiers, { ...BATCH, tries: 5 })
  await waitUntil(() => worker.health().outdated.length === 0)
})

test('broken off, it goes on where it was; another version of the rules begins anew', async t => {
  const ledger = await openLedger(t)
  await fillSimulated(ledger)
  await ledger.project()
  const workplace = openWorkplace(t, ledger.url)
  t.equal(await beginRebuild(workplace, [cards]), 'begun')
  let first = 0
  await t.rejects(buildUp(workplace, [cards], { batch: 7, onStep ({ events }) { first += events; if (first > 60) throw new Error('killed') } }), { message: 'killed' })
  t.equal(await beginRebuild(workplace, [cards]), 'resumed')
  t.same((await underRebuild(workplace, projections)).map(({ name }) => name), ['cards'])
  let second = 0
  await buildUp(workplace, [cards], { batch: 7, onStep ({ events }) { second += events } })
  const { rows: [{ stored }] } = await ledger.owner.query('select sum(head)::int as stored from ledger.shards')
  t.equal(first + second, stored, 'no event is folded twice')
  t.match(await diffRebuild(workplace, [cards], { ...BATCH, limit: 1 }), { tables: { length: 0 } })

  t.equal(await beginRebuild(workplace, [generous]), 'begun')
  t.same((await ledger.owner.query('select count(*)::int as rows from projection_build.cards')).rows, [{ rows: 0 }])
  t.equal(await beginRebuild(workplace, [generous, orders]), 'resumed', 'another projection joins')
  await buildUp(workplace, [generous, orders], BATCH)
  await switchRebuilt(workplace, [orders], { ...BATCH, tries: 5 })
  t.same((await underRebuild(workplace, [generous, orders])).map(({ name }) => name), ['cards'], 'what is not switched stays under rebuild')
  t.equal(await abandonRebuild(workplace), true)
  t.equal(await abandonRebuild(workplace), false)
})

test('two processes that rebuild share the work', async t => {
  const ledger = await openLedger(t)
  await fillSimulated(ledger)
  await ledger.project()
  const [one, two] = [openWorkplace(t, ledger.url), openWorkplace(t, ledger.url)]
  await Promise.all([beginRebuild(one, projections), beginRebuild(two, projections)])
  const done = [0, 0]
  await Promise.all([one, two].map(async (workplace, index) => { await buildUp(workplace, projections, { batch: 5, onStep () { done[index] = (done[index] ?? 0) + 1 } }) }))
  t.ok(done.every(steps => steps > 0), `${done.join(' and ')} steps`)
  t.match(await diffRebuild(one, projections, { ...BATCH, limit: 1 }), { tables: { length: 0 }, apart: 0n })
})

test('a switch under load: no read fails, waits long, or shows a mixture, and no event is lost', async t => {
  const ledger = await openLedger(t)
  const workplace = openWorkplace(t, ledger.url)
  const worker = startWorker(ledger.steps, { projections, batch: 20 })
  t.teardown(() => worker.stop())
  await ledger.post(awardData({ rule: 'ern_0', points: 1, balance: null }))
  let posted = 1
  const load = { on: true }
  let reads = 0
  const wrong: unknown[] = []

  const writing = (async () => {
    while (load.on) {
      await ledger.post(awardData({ rule: `ern_${posted++}`, points: 1, balance: null }))
      worker.nudge()
    }
  })()
  // One card in one shard, a point an event: balance and position are one number, or the answer is a mixture.
  const reading = Array.from({ length: 2 }, async () => {
    for (let before = 0; load.on;) {
      const { statusCode, body } = await ledger.get('/v1/customers/cust_1/balance')
      if (statusCode === 404) continue
      const { balance, position } = JSON.parse(body) as { balance: number, position: string }
      const at = Number(position.split(':')[1])
      if (statusCode !== 200 || balance !== at || at < before) wrong.push({ statusCode, body, before })
      before = at
      reads++
    }
  })
  for (let round = 0; round < 3; round++) {
    await rebuild(workplace)
    await switchRebuilt(workplace, projections, { ...BATCH, tries: 100 })
    const seen = posted
    await waitUntil(() => posted > seen + 5)
  }
  load.on = false
  await Promise.all([writing, ...reading])
  t.same(wrong.slice(0, 3), [], `${reads} reads, ${posted} events, 3 switches`)
  await waitUntil(async () => (await ledger.get('/v1/customers/cust_1/balance')).json().balance === posted)
})

test('a long report blocks the switch, which gives up and leaves all as it was', async t => {
  const ledger = await openLedger(t)
  await ledger.post(awardData({ points: 5 }))
  await ledger.project()
  const workplace = openWorkplace(t, ledger.url)
  await rebuild(workplace)
  const report = await ledger.owner.connect()
  await report.query('begin; select * from reporting.cards')
  await t.rejects(switchRebuilt(workplace, projections, { ...BATCH, tries: 2 }), { code: 'switch_blocked' })
  t.equal((await ledger.get('/v1/cards/v_1')).json().balance, 5)
  await report.query('commit')
  report.release()
  await switchRebuilt(workplace, projections, { ...BATCH, tries: 20 })
  t.equal((await ledger.get('/v1/cards/v_1')).json().balance, 5)
})

test('a plain view of someone else goes on over the new tables; anything else they made of them stands in the way and is kept', async t => {
  const ledger = await openLedger(t)
  await ledger.post(awardData({ points: 5 }))
  await ledger.project()
  await ledger.owner.query('create view public.theirs as select card_id, balance from projection.cards; create view public.over as select * from reporting.cards; create materialized view public.kept as select card_id from projection.cards')
  const workplace = openWorkplace(t, ledger.url)
  await rebuild(workplace)
  await t.rejects(switchRebuilt(workplace, projections, { ...BATCH, tries: 2 }), { code: 'switch_blocked', message: /materialized view public\.kept depends on table/ })
  await ledger.owner.query('drop materialized view public.kept')
  await switchRebuilt(workplace, projections, { ...BATCH, tries: 2 })
  await ledger.post(awardData({ rule: 'ern_2', points: 5 }))
  await ledger.project()
  t.match((await ledger.owner.query('select t.balance, o.balance as over from public.theirs t join public.over o using (card_id)')).rows, [{ balance: '10', over: '10' }])
})

test('what is parked live can be folded by new rules, and what they cannot fold is parked with them', async t => {
  const ledger = await openLedger(t)
  await ledger.owner.query("alter table projection.cards add constraint poisoned check (card_id <> 'v_1' or earned < 15)")
  for (const [index, card] of ['v_1', 'v_1', 'v_2', 'v_2'].entries()) await ledger.post(awardData({ card, rule: `ern_${index}`, points: 10, balance: null }))
  await ledger.project()
  t.equal((await ledger.get('/v1/cards/v_1')).json().balance, 10)
  const workplace = openWorkplace(t, ledger.url)
  await beginRebuild(workplace, projections)
  await sql`alter table projection_build.cards drop constraint poisoned`.execute(workplace.build)
  await sql`alter table projection_build.cards add constraint poisoned check (card_id <> 'v_2' or earned < 15)`.execute(workplace.build)
  await buildUp(workplace, projections, BATCH)
  await switchRebuilt(workplace, projections, { ...BATCH, tries: 5 })
  t.same(await Promise.all(['v_1', 'v_2'].map(async card => (await ledger.get(`/v1/cards/${card}`)).json().balance)), [20, 10])
  t.same((await ledger.owner.query('select key from projection.parked')).rows, [{ key: 'card:v_2' }])
})

// Every projection against a fold of the log that nobody else has seen.
import { test, type Test } from 'tap'
import { storeDelivery } from '../../../src/ingest/store-delivery.ts'
import { projections } from '../../../src/projections/index.ts'
import { orders } from '../../../src/projections/orders/projection.ts'
import type { Projection } from '../../../src/engine/projection.ts'
import { beginRebuild, switchRebuilt } from '../../../src/engine/rebuild/rebuild.ts'
import { verifyProjections, type ProjectionFinding } from '../../../src/engine/rebuild/verify.ts'
import { startWorker } from '../../../src/engine/worker.ts'
import { simulate } from '../../../simulator/simulate.ts'
import { awardData, orderData } from '../../support/deliveries.ts'
import { openLedger, type TestLedger } from '../../support/ledger.ts'
import { openProjectionSchema, openWorkplace } from '../../support/workplace.ts'

async function openFilled (t: Test): Promise<TestLedger> {
  const ledger = await openLedger(t)
  const intake = { db: ledger.db, appender: ledger.appender, shards: 16 }
  const { deliveries } = simulate({ seed: 11, customers: 6, events: 150, chaos: 'high' })
  await Promise.all(deliveries.filter(({ kind }) => kind !== 'forged').map(async ({ body }) => await storeDelivery(body, intake)))
  await ledger.post(awardData({ points: 10 }))
  await ledger.post(orderData())
  await ledger.project()
  return ledger
}

async function findingsOf (t: Test, ledger: TestLedger, code: readonly Projection[] = projections): Promise<{ found: ProjectionFinding[], unnamed: bigint }> {
  const found: ProjectionFinding[] = []
  let unnamed = 0n
  await verifyProjections(openProjectionSchema(t, ledger.url, 'pg_temp'), code, {
    batch: 40, limit: 3, found: finding => { found.push(finding) }, unnamed: count => { unnamed += count }
  })
  return { found, unnamed }
}

test('projections of a ledger in order are clean, and checking leaves no trace', async t => {
  const ledger = await openFilled(t)
  t.same(await findingsOf(t, ledger), { found: [], unnamed: 0n })
  t.same((await ledger.owner.query("select relname from pg_class where relname = 'cards' and relnamespace::regnamespace::text not in ('projection', 'reporting') and relpersistence <> 't'")).rows, [])
})

test('running totals that are wrong or missing are found', async t => {
  const ledger = await openLedger(t)
  for (let at = 0; at < 260; at++) await ledger.post(awardData({ points: 10, trigger: `evcus_${at}`, at: new Date(Date.UTC(2026, 0, 1, 0, at)).toISOString() }))
  await ledger.project()
  t.same(await findingsOf(t, ledger), { found: [], unnamed: 0n })
  const { rowCount } = await ledger.owner.query('update projection.statement_lines set running_totals = \'{"movements":"1"}\' where running_totals is not null')
  t.equal(rowCount, 1)
  t.match(await findingsOf(t, ledger), { found: [{ code: 'PROJECTION_MISMATCH', difference: { table: 'statement_lines', changed: 1n } }], unnamed: 0n })
  await ledger.owner.query('update projection.statement_lines set running_totals = null')
  t.match(await findingsOf(t, ledger), { found: [{ code: 'PROJECTION_MISMATCH', difference: { table: 'statement_lines', changed: 1n } }], unnamed: 0n })
})

test('each change of a row by another hand is found and named', async t => {
  const ledger = await openFilled(t)
  const cases: Array<[what: string, change: string, undo: string, finding: object]> = [
    ['points moved from one sum to another',
      "update projection.cards set earned = earned + 5, adjusted = adjusted - 5 where card_id = 'v_1'", "update projection.cards set earned = earned - 5, adjusted = adjusted + 5 where card_id = 'v_1'",
      { code: 'PROJECTION_MISMATCH', projection: 'cards', difference: { table: 'cards', about: 'v_1', changed: 1n, only_first: 0n, only_second: 0n } }],
    ['a line that no event tells',
      "insert into projection.statement_lines select card_id, occurred_at, 9, 'made:up', kind, points, balance, reported_balance, observed, dated_at, exact, recorded_at from projection.statement_lines where card_id = 'v_1'", "delete from projection.statement_lines where movement_id = 'made:up'",
      { difference: { table: 'statement_lines', about: 'v_1', only_first: 1n } }],
    ['a missing state of an order',
      "create table kept as select * from projection.order_states where order_id = 'ord_1'; delete from projection.order_states where order_id = 'ord_1'", 'insert into projection.order_states select * from kept; drop table kept',
      { projection: 'orders', difference: { table: 'order_states', about: 'ord_1', only_second: 1n } }],
    ['a name that was never told',
      "update projection.customers set name = 'Mallory' where customer_id = 'cust_1'", "update projection.customers set name = null where customer_id = 'cust_1'",
      { projection: 'customers', difference: { about: 'cust_1' } }]
  ]
  for (const [what, change, undo, finding] of cases) {
    await ledger.owner.query(change)
    t.match(await findingsOf(t, ledger), { found: [finding], unnamed: 0n }, what)
    await ledger.owner.query(undo)
  }
  const { found: [name] } = await findingsOf(t, ledger)
  t.ok(name === undefined || (name.code === 'PROJECTION_MISMATCH' && name.projection === 'customers'), 'all undone, but for the name where there was one')
})

test('more differences than anyone wants to read are counted', async t => {
  const ledger = await openFilled(t)
  await ledger.owner.query("update projection.statement_lines set order_id = 'ord_nobody'")
  const { rows: [{ cards }] } = await ledger.owner.query('select count(distinct card_id) as cards from projection.statement_lines')
  const { found, unnamed } = await findingsOf(t, ledger)
  t.equal(found.length, 3)
  t.equal(unnamed, BigInt(cards) - 3n)
})

test('what is parked, and what another version folded, is said and not passed over', async t => {
  const ledger = await openFilled(t)
  await ledger.owner.query("alter table projection.cards add constraint poisoned check (card_id <> 'v_1' or earned < 15)")
  await ledger.post(awardData({ rule: 'ern_2', points: 10 }))
  await ledger.project()
  // The temporary tables are like the live ones, so the fold of the check parks the card as well.
  t.match(await findingsOf(t, ledger), { found: [{ code: 'PROJECTION_PARKED', projection: 'cards', parked: { key: 'card:v_1', code: 'fold_failed' } }], unnamed: 0n })
  await ledger.owner.query('alter table projection.cards drop constraint poisoned')
  t.match((await findingsOf(t, ledger)).found.map(({ code }) => code).sort(), ['PROJECTION_MISMATCH', 'PROJECTION_MISMATCH', 'PROJECTION_MISMATCH', 'PROJECTION_PARKED'], 'the rows lack the event')
  const newer = projections.map(projection => projection.name === 'orders' ? { ...projection, version: 99 } : projection)
  t.match((await findingsOf(t, ledger, newer)).found, [{ code: 'PROJECTION_OUTDATED', projection: 'orders', version: 99, live: orders.version }])
})

test('a checkpoint behind the end of the log is named: nothing that comes there would be folded', async t => {
  const ledger = await openFilled(t)
  await ledger.owner.query("update projection.checkpoints set position = position + 2 where projection = 'cards' and shard = 3")
  t.match((await findingsOf(t, ledger)).found.find(({ code }) => code === 'CHECKPOINT_AHEAD'), { projection: 'cards', shard: 3 })
})

test('a switch of generations meanwhile is no difference', async t => {
  const ledger = await openFilled(t)
  const workplace = openWorkplace(t, ledger.url)
  const check = { on: true }
  const switching = (async () => {
    while (check.on) {
      await beginRebuild(workplace, projections)
      await switchRebuilt(workplace, projections, { batch: 500, tries: 50 })
    }
  })()
  for (let round = 0; round < 3; round++) t.same(await findingsOf(t, ledger), { found: [], unnamed: 0n })
  check.on = false
  await switching
})

test('appends and steps that go on meanwhile are no differences', async t => {
  const ledger = await openFilled(t)
  const worker = startWorker(ledger.steps, { projections, batch: 5 })
  t.teardown(() => worker.stop())
  const check = { on: true }
  const posting = (async () => {
    for (let index = 0; check.on; index++) {
      await ledger.post(awardData({ rule: `ern_more_${index}`, customer: `cust_${index % 7}`, card: `v_${index % 5}`, points: 1 }))
      worker.nudge()
    }
  })()
  for (let round = 0; round < 3; round++) t.same(await findingsOf(t, ledger), { found: [], unnamed: 0n })
  check.on = false
  await posting
})

// Events that cannot be folded: what they are about stands still, in order, and all else goes on.
import { fc } from '../../support/chance.ts'
import { test, type Test } from 'tap'
import { storeDelivery } from '../../../src/ingest/store-delivery.ts'
import { cards } from '../../../src/projections/cards/projection.ts'
import { projections } from '../../../src/projections/index.ts'
import type { Projection } from '../../../src/engine/projection.ts'
import { redriveAllParked, redriveParked, type Unparked } from '../../../src/engine/parking/redrive.ts'
import { runStep } from '../../../src/engine/step.ts'
import { startWorker } from '../../../src/engine/worker.ts'
import type { IdentifiedDelivery } from '../../../src/providers/provider.ts'
import { identify } from '../../../src/providers/voucherify/identify.ts'
import { simulate } from '../../../simulator/simulate.ts'
import { shardOf } from '../../../src/log/shards.sql.ts'
import { awardData, orderData } from '../../support/deliveries.ts'
import { dumpProjections, openLedger, type TestLedger } from '../../support/ledger.ts'
import { waitUntil } from '../../support/wait.ts'

const SHARDS = 4

/**
 * Stores an event whose body this version of the code cannot read, as if an earlier one had accepted it.
 * @returns what mends it
 */
async function storeUnreadable (ledger: TestLedger, body: object): Promise<() => Promise<void>> {
  const event = identify(Buffer.from(JSON.stringify(body))) as IdentifiedDelivery
  const broken = event.body.replace('"points":', '"points":"as text","was":')
  await ledger.appender.append({ ...event, provider: 'voucherify', shard: shardOf(event.shard_key, SHARDS), body: broken })
  return async () => {
    await ledger.owner.query('alter table ledger.events disable trigger user')
    await ledger.owner.query('update ledger.events set body = $3 where event_id = $1 and subject = $2', [event.event_id, event.subject, event.body])
    await ledger.owner.query('alter table ledger.events enable always trigger append_only; alter table ledger.events enable always trigger guard_body')
  }
}

async function parkedOf (ledger: TestLedger): Promise<Array<{ projection: string, key: string, code: string, place: string, waiting: string }>> {
  const { rows } = await ledger.owner.query(`
    select projection, key, code, shard || ':' || position as place,
           (select string_agg(w.shard || ':' || w.position, ' ' order by w.shard, w.position) from projection.waiting w where w.projection = p.projection and w.key = p.key) as waiting
    from projection.parked p order by projection, key`)
  return rows
}

async function redriveAll (ledger: TestLedger): Promise<Record<string, Unparked>> {
  const fates: Record<string, Unparked> = {}
  await redriveAllParked(ledger.db, projections, { each: ({ projection, key }, unparked) => { fates[`${projection} ${key}`] = unparked } })
  return fates
}

const balance = async (ledger: TestLedger, card: string): Promise<unknown> => (await ledger.get(`/v1/cards/${card}`)).json().balance

test('an event that cannot be read parks the card it is about; later ones wait; once it can be read all are folded in order', async t => {
  const ledger = await openLedger(t, { shards: SHARDS })
  const shard = shardOf('cust_1', SHARDS)
  await ledger.post(awardData({ rule: 'ern_1', points: 10 }))
  const mend = await storeUnreadable(ledger, awardData({ rule: 'ern_2', points: 20 }))
  await ledger.post(awardData({ rule: 'ern_3', points: 30 }))
  await ledger.post(awardData({ card: 'v_other', rule: 'ern_3', points: 7 }))
  t.equal(await ledger.project(), 4)
  t.equal(await balance(ledger, 'v_1'), 10, 'as it was before the event that cannot be read')
  t.equal(await balance(ledger, 'v_other'), 7)
  await ledger.post(awardData({ rule: 'ern_4', points: 40 }))
  t.equal(await ledger.project(), 1)
  t.equal(await balance(ledger, 'v_1'), 10)
  t.match((await parkedOf(ledger)).filter(({ projection }) => projection === 'cards'), [
    { key: 'card:v_1', code: 'event_unreadable', place: `${shard}:2`, waiting: `${shard}:2 ${shard}:3 ${shard}:5` },
    { key: /^event:.+\/award:ern_2:v_1$/, code: 'event_unreadable', place: `${shard}:2`, waiting: `${shard}:2` }
  ])

  t.match(await redriveParked(ledger.db, projections, { projection: 'cards', key: 'card:v_1' }), { status: 'still_parked', code: 'event_unreadable', reason: /points/ })
  t.match((await ledger.owner.query("select tries, reason from projection.parked where key = 'card:v_1'")).rows, [{ tries: 2, reason: /points/ }])
  t.match(await redriveParked(ledger.db, projections, { projection: 'cards', key: 'card:v_2' }), { status: 'not_parked' })
  t.match(await redriveParked(ledger.db, projections.map(one => ({ ...one, version: 99 })), { projection: 'cards', key: 'card:v_1' }), { status: 'outdated' })

  await mend()
  t.match((await redriveAll(ledger))['cards card:v_1'], { status: 'redriven', events: 3 })
  t.equal(await balance(ledger, 'v_1'), 100)
  t.strictSame(await parkedOf(ledger), [])
  t.equal((await ledger.owner.query('select from projection.waiting')).rowCount, 0)
})

test('what an unreadable event tells of others than it seems to be about is not lost either', async t => {
  const ledger = await openLedger(t, { shards: SHARDS })
  const mend = await storeUnreadable(ledger, awardData({ points: 20 }))
  // As if only later it showed whom the event is about.
  await ledger.project()
  await ledger.owner.query("delete from projection.parked where key = 'card:v_1'; delete from projection.waiting where key = 'card:v_1'")
  await ledger.post(awardData({ rule: 'ern_2', points: 5 }))
  await ledger.project()
  await mend()
  await redriveAll(ledger)
  t.equal(await balance(ledger, 'v_1'), 25)
  t.match((await ledger.owner.query("select customer_id from projection.customers where customer_id = 'cust_1'")).rows, [{ customer_id: 'cust_1' }])
})

test('an event that cannot be folded parks its card alone, from that event on', async t => {
  const ledger = await openLedger(t, { shards: 1 })
  await ledger.owner.query("alter table projection.cards add constraint poisoned check (card_id <> 'v_2' or earned <> 3)")
  for (const card of ['v_1', 'v_2', 'v_3']) {
    for (const [index, points] of [1, 2, 4].entries()) await ledger.post(awardData({ card, customer: `of_${card}`, rule: `ern_${index}`, points }))
  }
  await ledger.post(orderData({ id: 'ord_1', customer: 'of_v_2' }))
  t.equal(await ledger.project(1), 10)
  t.strictSame(await Promise.all(['v_1', 'v_2', 'v_3'].map(async card => await balance(ledger, card))), [7, 1, 7])
  t.equal((await ledger.get('/v1/orders/ord_1')).statusCode, 200, 'the customer\'s order goes on')
  t.match(await parkedOf(ledger), [{ projection: 'cards', key: 'card:v_2', code: 'fold_failed', place: '0:5', waiting: '0:5 0:6' }])

  t.match(await redriveParked(ledger.db, projections, { projection: 'cards', key: 'card:v_2' }), { status: 'redriven', events: 2 }, 'two at once never show the sum that is refused')
  t.equal(await balance(ledger, 'v_2'), 7)
})

test('a worker that starts folds what an earlier version of the code had parked', async t => {
  const ledger = await openLedger(t, { shards: SHARDS })
  const mend = await storeUnreadable(ledger, awardData({ points: 20 }))
  await ledger.project()
  t.equal((await ledger.get('/v1/cards/v_1')).statusCode, 404)
  await mend()
  const worker = startWorker(ledger.steps, { projections, batch: 10 })
  t.teardown(() => worker.stop())
  await waitUntil(async () => await balance(ledger, 'v_1') === 20)
})

test('a step that parks a key while a redrive lets it go parks it anew: its event is not lost between the two', async t => {
  const ledger = await openLedger(t, { shards: SHARDS })
  const shards = ['cust_1', 'cust_2', 'cust_3', 'cust_4', 'cust_5'].map(customer => ({ customer, shard: shardOf(customer, SHARDS) }))
  const [a] = shards
  const b = shards.find(({ shard }) => shard !== a?.shard)
  for (const [index, one] of [a, b].entries()) await ledger.post(awardData({ customer: one?.customer ?? '', card: 'v_1', rule: `ern_${index}`, points: 10 * (index + 1) }))
  const others = (shard: number | undefined): number[] => [0, 1, 2, 3].filter(one => one !== shard)
  const withCards = (apply: Projection['apply']): Projection[] => projections.map(one => one.name === 'cards' ? { ...one, apply } : one)
  const [looked, parked, redriving, finish] = [gate(), gate(), gate(), gate()]

  // Rules that cannot fold these events, in two shards; then some that can.
  let tries = 0
  const slow = runStep(ledger.steps, withCards(async () => {
    if (++tries === 2) {
      looked.open()
      await parked.passed
    }
    throw new Error('cannot fold')
  }), { batch: 10, except: others(a?.shard) })
  await looked.passed
  await runStep(ledger.steps, withCards(async () => { throw new Error('cannot fold') }), { batch: 10, except: others(b?.shard) })
  const redrive = redriveParked(ledger.db, withCards(async (trx, observed) => {
    redriving.open()
    await finish.passed
    await cards.apply(trx, observed)
  }), { projection: 'cards', key: 'card:v_1' })
  await redriving.passed
  parked.open()
  await waitUntil(async () => (await ledger.owner.query("select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'")).rowCount === 1, { what: 'the step to wait for the redrive' })
  finish.open()
  t.match(await redrive, { status: 'redriven', events: 1 })
  await slow
  t.match(await parkedOf(ledger), [{ key: 'card:v_1', waiting: `${a?.shard}:1` }])
  t.match(await redriveAll(ledger), { 'cards card:v_1': { status: 'redriven', events: 1 } })
  t.equal(await balance(ledger, 'v_1'), 30)
})

/** What waits until it is opened. */
function gate (): { open: () => void, passed: Promise<void> } {
  let open!: () => void
  const passed = new Promise<void>(resolve => { open = resolve })
  return { open, passed }
}

test('a parked card that someone else holds does not keep a worker that starts from the rest', async t => {
  const ledger = await openLedger(t, { shards: SHARDS })
  const mend = await storeUnreadable(ledger, awardData({ points: 20 }))
  await ledger.post(awardData({ rule: 'ern_0', points: 1, card: 'v_2' }))
  await ledger.project()
  await mend()
  await ledger.owner.query("insert into projection.cards select (jsonb_populate_record(c, '{\"card_id\": \"v_1\"}')).* from projection.cards c where card_id = 'v_2'")
  const foreign = await ledger.owner.connect()
  await foreign.query("begin; select from projection.cards where card_id = 'v_1' for update")
  const worker = startWorker(ledger.steps, { projections, batch: 10 })
  t.teardown(() => worker.stop())
  await ledger.post(awardData({ customer: 'cust_9', card: 'v_9', points: 9 }))
  await waitUntil(async () => await balance(ledger, 'v_9') === 9, { what: 'the others to be folded' })
  t.equal((await parkedOf(ledger)).filter(({ key }) => key === 'card:v_1').length, 1)
  await foreign.query('rollback')
  foreign.release()
  await waitUntil(async () => (await parkedOf(ledger)).length === 0, { what: 'the card to go on' })
})

test('many bad orders of one customer are parked, and the shard goes on', async t => {
  const ledger = await openLedger(t, { shards: 1 })
  await ledger.owner.query("alter table projection.orders add constraint refused check (customer_id <> 'cust_bad')")
  for (let index = 0; index < 25; index++) await ledger.post(orderData({ id: `ord_${index}`, customer: 'cust_bad' }))
  await ledger.post(awardData({ points: 5 }))
  t.equal(await ledger.project(), 26)
  t.equal((await parkedOf(ledger)).length, 25)
  t.equal(await balance(ledger, 'v_1'), 5)
})

test('where all fails, or something is missing that every event needs, nothing is parked and the shard rests', async t => {
  const ledger = await openLedger(t, { shards: 1 })
  for (let index = 0; index < 205; index++) await ledger.post(awardData({ card: `v_${index}`, rule: `ern_${index}`, points: 1 }))
  await ledger.owner.query('alter table projection.cards add constraint refused check (earned = 0)')
  await t.rejects(runStep(ledger.steps, projections, { batch: 1000 }), { name: 'StepFailed', message: /more than 200 keys of one step/ })
  t.strictSame(await parkedOf(ledger), [])
  await ledger.owner.query('alter table projection.cards drop constraint refused; alter table projection.statement_lines rename column ordinal to tied')
  await t.rejects(runStep(ledger.steps, projections, { batch: 100 }), { name: 'StepFailed', message: /ordinal/ })
  t.strictSame(await parkedOf(ledger), [])
  await ledger.owner.query('alter table projection.statement_lines rename column tied to ordinal')
  t.equal(await ledger.project(), 205)
})

/** Refuses rows of some cards and orders, as a defect of ours would. */
const POISON = `
  create function refuse () returns trigger language plpgsql as $$ begin raise exception 'refused %', new; end $$;
  create trigger refuse before update on projection.cards for each row when (hashtext(new.card_id) % 3 = 0) execute function refuse();
  create trigger refuse before insert on projection.orders for each row when (hashtext(new.order_id) % 4 = 0) execute function refuse()`
const ANTIDOTE = 'drop function refuse cascade'

async function fill (ledger: TestLedger, bodies: readonly Buffer[], each: number, batch: number): Promise<void> {
  const intake = { db: ledger.db, appender: ledger.appender, shards: SHARDS }
  for (let start = 0; start < bodies.length; start += each) {
    await Promise.all(bodies.slice(start, start + each).map(async body => await storeDelivery(body, intake)))
    await ledger.project(batch)
  }
}

/** The rows of what is not poisoned. */
async function healthyRows (ledger: TestLedger): Promise<unknown> {
  const { rows } = await ledger.owner.query(`
    select (select json_agg(c order by card_id) from projection.cards c where hashtext(card_id) % 3 <> 0) as cards,
           (select json_agg(to_jsonb(l) - 'recorded_at' order by card_id, occurred_at, ordinal) from projection.statement_lines l where hashtext(card_id) % 3 <> 0) as lines,
           (select json_agg(o order by order_id) from projection.orders o where hashtext(order_id) % 4 <> 0) as orders`)
  return rows
}

test('whatever is poisoned: the rest is as ever, and after the mend all is as if it had never been', async (t: Test) => {
  await fc.assert(fc.asyncProperty(fc.nat(), fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 40 }), async (seed, each, batch) => {
    await t.test(`seed ${seed}, ${each} at once, steps of ${batch}`, async inner => {
      const bodies = simulate({ seed, customers: 2, events: 60, chaos: 'high' }).deliveries.filter(({ kind }) => kind !== 'forged').map(({ body }) => body)
      const [whole, poisoned] = [await openLedger(inner, { shards: SHARDS }), await openLedger(inner, { shards: SHARDS })]
      await poisoned.owner.query(POISON)
      await fill(whole, bodies, 1000, 2000)
      await fill(poisoned, bodies, each, batch)
      inner.same(await healthyRows(poisoned), await healthyRows(whole))
      await poisoned.owner.query(ANTIDOTE)
      const fates = Object.values(await redriveAll(poisoned))
      inner.ok(fates.every(({ status }) => status === 'redriven'), `${fates.length} keys redriven`)
      inner.same(withoutProvenance(await dumpProjections(poisoned.owner, { recordedAt: false })), withoutProvenance(await dumpProjections(whole.owner, { recordedAt: false })))
    })
  }), { numRuns: 8 })
})

/** Which of two events recorded a state of an order first hangs on which was taken in first. */
function withoutProvenance (dump: Record<string, string[]>): Record<string, string[]> {
  return { ...dump, order_states: (dump.order_states ?? []).map(row => row.replace(/"event_id": "[^"]*"/, '').replace(/"subject": "[^"]*"/, '')).sort() }
}

test('a redrive beside steps of several workers loses no event that comes to wait meanwhile', async t => {
  const ledger = await openLedger(t, { shards: SHARDS })
  await ledger.owner.query(`create table public.poison (card_id text primary key);
    grant select on public.poison to ledger_service;
    create function refuse () returns trigger language plpgsql as $$ begin if exists (select from public.poison p where p.card_id = new.card_id) then raise exception 'refused'; end if; return new; end $$;
    create trigger refuse before update on projection.cards for each row execute function refuse()`)
  const workers = Array.from({ length: 3 }, () => startWorker(ledger.steps, { projections, batch: 5 }))
  t.teardown(async () => { await Promise.all(workers.map(async worker => { await worker.stop() })) })
  let points = 0
  for (let round = 0; round < 12; round++) {
    if (round % 3 === 0) await ledger.owner.query("insert into public.poison values ('v_1')")
    if (round % 3 === 2) await ledger.owner.query('delete from public.poison')
    const posts = Array.from({ length: 8 }, async (_, index) => {
      // One card told of in several shards.
      await ledger.post(awardData({ customer: `cust_${index}`, rule: `ern_${round}_${index}`, points: 1 }))
      points++
      workers.forEach(worker => { worker.nudge() })
    })
    await Promise.all([...posts, redriveAll(ledger)])
  }
  await waitUntil(async () => {
    await redriveAll(ledger)
    return await balance(ledger, 'v_1') === points
  }, { what: `all ${points} points` })
  t.strictSame(await parkedOf(ledger), [])
})

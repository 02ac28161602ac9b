import { test } from 'tap'
import { fc } from '../support/chance.ts'
import { sql } from 'kysely'
import { parseInstant, type Instant } from '../../src/ledger/instant.ts'
import { cards } from '../../src/projections/cards/projection.ts'
import { projections } from '../../src/projections/index.ts'
import type { Projection } from '../../src/engine/projection.ts'
import { runJointStep, runStep } from '../../src/engine/step.ts'
import { startWorker } from '../../src/engine/worker.ts'
import { listen } from '../../src/postgres/listener.ts'
import { beginCheckpoints, Fenced } from '../../src/engine/checkpoints.sql.ts'
import type { Trx } from '../../src/postgres/database.ts'
import { APPENDED_CHANNEL, createNotifier } from '../../src/log/notify.sql.ts'
import { findTailStarts, readTails, replaceTails } from '../../src/projections/cards/tails.sql.ts'
import { shardOf } from '../../src/log/shards.sql.ts'
import { createRandom, type Random } from '../../simulator/random.ts'
import { awardData, enveloped, orderData } from '../support/deliveries.ts'
import { dumpProjections, openLedger, type TestLedger } from '../support/ledger.ts'
import { waitUntil } from '../support/wait.ts'

/**
 * A few customers with cards that change hands, several awards at one moment, each told by one to three routes; orders
 * through their states.
 */
function history (seed: number, size: number): object[] {
  const { next, pick } = createRandom(String(seed))
  const balances = new Map<string, number>()
  const deliveries: object[] = []
  for (let index = 0; index < size; index++) {
    const customer = `cust_${Math.floor(next() * 4)}`
    const minute = String(Math.floor(next() * 6)).padStart(2, '0')
    if (next() < 0.3) {
      // The same order, state and time tell the same facts: else two of them would be a conflict, which arrival
      // decides.
      const number = Math.floor(next() * 4)
      const status = pick(['CREATED', 'PAID', 'FULFILLED', 'CANCELED'])
      deliveries.push(orderData({ id: `ord_${number}`, customer: `cust_${number}`, status, amount: number + status.length + Number(minute), updatedAt: `2026-01-01T10:${minute}:00.000Z` }))
      continue
    }
    const card = `v_${Math.floor(next() * 3)}`
    const points = Math.floor(next() * 5)
    // Movements that nobody tells: they must show as unexplained.
    const before = (balances.get(card) ?? 0) + (next() < 0.2 ? 7 : 0)
    balances.set(card, before + points)
    const data = awardData({ customer, card, rule: `ern_${index}`, trigger: `evcus_${index % 5}`, points, balance: next() < 0.2 ? null : before + points, at: `2026-01-01T10:${minute}:00.000${index % 3}Z` })
    const observed = [data, enveloped(data, { id: `ev_${index}`, at: `2026-01-01T10:${minute}:30.000Z` }), enveloped({ ...data, publication: {} }, { id: `ev_${index}`, source: 'distribution', sendOut: 'whs_9', at: `2026-01-01T10:${minute}:30.000Z` })]
    deliveries.push(...observed.filter((_, route) => route === index % 3 || next() < 0.5))
  }
  return deliveries
}

function shuffled<T> (items: readonly T[], { next }: Random): T[] {
  return items.map(item => ({ item, at: next() })).sort((a, b) => a.at - b.at).map(({ item }) => item)
}

async function fill (ledger: TestLedger, deliveries: readonly object[], batch: number, rng?: Random): Promise<void> {
  for (const delivery of deliveries) {
    const answer = await ledger.post(delivery)
    if (answer.statusCode >= 300) throw new Error(`${answer.statusCode} ${answer.body}`)
    if (rng !== undefined && rng.next() < 0.2) await ledger.project(batch)
  }
  await ledger.project(batch)
}

async function requireTies (ledger: TestLedger): Promise<void> {
  const { rows } = await ledger.owner.query(`
    select k.card_id from projection.cards k left join projection.statement_lines l using (card_id)
    group by k.card_id, k.balance, k.opening having k.balance <> k.opening + coalesce(sum(l.points), 0)`)
  if (rows.length > 0) throw new Error(`cards whose balance is not the sum of their lines: ${JSON.stringify(rows)}`)
}

test('projections depend on the set of events: any order, any repetition, any batch size, the same rows', async t => {
  await fc.assert(fc.asyncProperty(fc.integer(), async seed => {
    const deliveries = history(seed, 25)
    const rng = createRandom(`${seed}/arrival`)
    const states: Array<Record<string, string[]>> = []
    for (const [order, batch] of [[deliveries, 1000], [shuffled([...deliveries, ...deliveries], rng), 1 + Math.floor(rng.next() * 4)]] as const) {
      await t.test(`seed ${seed}`, async inner => {
        const ledger = await openLedger(inner, { shards: 3 })
        await fill(ledger, order, batch, batch === 1000 ? undefined : rng)
        await requireTies(ledger)
        // When something was recorded is the one thing that arrival decides, and with it which telling of a state came
        // first.
        const dump = await dumpProjections(ledger.owner, { recordedAt: false })
        dump.order_states = (dump.order_states ?? []).map(row => row.replace(/"event_id": "[^"]*"/, '').replace(/"subject": "[^"]*"/, ''))
        states.push(dump)
      })
    }
    t.same(states[1], states[0], `seed ${seed}`)
  }), { numRuns: 4, endOnFailure: true })
})

test('several workers at once project everything exactly once', async t => {
  const ledger = await openLedger(t, { shards: 8 })
  const deliveries = history(42, 120)
  const workers = Array.from({ length: 3 }, () => startWorker(ledger.steps, { projections, batch: 7 }))
  await fill(ledger, deliveries, 7)
  await waitUntil(async () => {
    const { rows } = await ledger.owner.query('select from projection.checkpoints c join ledger.shards s using (shard) where c.position < s.head')
    return rows.length === 0
  }, { what: 'nothing to lag' })
  await Promise.all(workers.map(async worker => { await worker.stop() }))
  t.ok(workers.every(worker => !worker.health().alive))
  const together = await dumpProjections(ledger.owner)

  await ledger.owner.query('truncate projection.customers, projection.cards, projection.movement_observations, projection.statement_lines, projection.orders, projection.order_states')
  await ledger.owner.query('update projection.checkpoints set position = 0')
  await ledger.project()
  t.same(together, await dumpProjections(ledger.owner), 'the same rows as one pass over the log')
  await requireTies(ledger)
})

test('a hole in the log stops the shard loudly, and only that shard', async t => {
  const ledger = await openLedger(t, { shards: 16 })
  for (const customer of ['cust_1', 'cust_2', 'cust_3', 'cust_4']) {
    for (const rule of ['ern_1', 'ern_2', 'ern_3']) await ledger.post(awardData({ customer, card: `v_of_${customer}`, rule, points: 1 }))
  }
  const { rows: [torn] } = await ledger.owner.query("select shard from ledger.events where customer_id = 'cust_1'")
  await ledger.owner.query('alter table ledger.events disable trigger append_only')
  await ledger.owner.query('delete from ledger.events where shard = $1 and position = 2', [torn.shard])
  const failures: unknown[] = []
  const worker = startWorker(ledger.steps, { projections, batch: 100, onFailure: error => { failures.push(error) } })
  await waitUntil(() => worker.health().resting.length === 1, { what: 'the shard to be set aside' })
  await waitUntil(async () => (await ledger.get('/v1/cards/v_of_cust_4')).statusCode === 200, { what: 'the other shards to go on' })
  await worker.stop()
  t.match(failures[0], { message: new RegExp(`event ${torn.shard}:2 is missing`) })
  t.match(worker.health(), { resting: [{ shard: torn.shard, reason: /is missing from the log/ }] })
  t.equal((await ledger.get('/v1/cards/v_of_cust_1')).statusCode, 404, 'nothing behind the hole is shown')
})

test('a step overtaken between claim and commit rolls back whole', async t => {
  const ledger = await openLedger(t, { shards: 1 })
  await ledger.post(awardData({ points: 5 }))
  const meddling: Projection = {
    ...cards,
    async apply (trx, observed) {
      await cards.apply(trx, observed)
      // As if another worker had moved the checkpoint although we hold its lock.
      await trx.updateTable('checkpoints').set({ position: 9n }).where('projection', '=', 'cards').execute()
    }
  }
  await t.rejects(runStep(ledger.steps, [meddling], { batch: 10 }), { cause: Fenced })
  t.equal((await ledger.get('/v1/cards/v_1')).statusCode, 404)
  t.equal(await ledger.project(), 1)
  t.equal((await ledger.get('/v1/cards/v_1')).json().balance, 5)
})

test('a projection that joins later catches up from the beginning, without the others folding twice', async t => {
  const ledger = await openLedger(t, { shards: 2 })
  for (let index = 0; index < 10; index++) await ledger.post(awardData({ customer: `cust_${index}`, card: `v_${index}`, rule: `ern_${index}`, points: 1 }))
  await ledger.project()
  const before = await dumpProjections(ledger.owner)
  const seen: string[] = []
  const late: Projection = { name: 'late', version: 1, entity: 'card', tables: [], async apply (_trx, observed) { seen.push(...observed.filter(({ fact }) => fact.fact === 'movement').map(({ event_id, subject }) => `${event_id} ${subject}`)) } }
  await beginCheckpoints(ledger.db, [late])
  while (await runStep(ledger.steps, [...projections, late], { batch: 3 }) !== undefined);
  t.equal(seen.length, 10)
  t.equal(new Set(seen).size, 10)
  t.same(await dumpProjections(ledger.owner), before)
})

test('an append in another process wakes the worker by NOTIFY; a dead LISTEN only costs latency', async t => {
  const ledger = await openLedger(t)
  let woken = 0
  const listener = listen({ url: ledger.url, timeout_ms: 10_000 }, APPENDED_CHANNEL, () => { woken++ })
  t.teardown(() => listener.stop())
  await waitUntil(() => woken === 1, { what: 'the first connection, which looks at once' })
  const notify = createNotifier(ledger.db)
  for (let index = 0; index < 100; index++) notify()
  await waitUntil(() => woken >= 2)
  t.ok(woken < 10, 'a hundred appends in a moment are a few notifications')
  const before = woken
  await ledger.owner.query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'loyalty-ledger listener' and datname = current_database()")
  await waitUntil(() => woken > before, { what: 'the listener to come back and look' })
})

test('the worker outlives its database connections', async t => {
  const ledger = await openLedger(t)
  const worker = startWorker(ledger.steps, { projections, batch: 100 })
  t.teardown(() => worker.stop())
  await ledger.post(awardData({ rule: 'ern_1' }))
  await waitUntil(async () => (await ledger.get('/v1/cards/v_1')).json().balance === 10)
  for (let round = 2; round < 5; round++) {
    await ledger.owner.query("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and application_name like 'loyalty-ledger test%'")
    await waitUntil(async () => (await ledger.post(awardData({ rule: `ern_${round}` }))).statusCode < 300)
    await waitUntil(async () => (await ledger.get('/v1/cards/v_1')).json().balance === round * 10)
  }
  t.equal(worker.health().alive, true)
})

test('the worker outlives a migration that gives a table another column', async t => {
  const ledger = await openLedger(t)
  const failures: unknown[] = []
  const worker = startWorker(ledger.steps, { projections, batch: 100, onFailure: error => { failures.push(error) } })
  t.teardown(() => worker.stop())
  await ledger.post(awardData({ rule: 'ern_1' }))
  await waitUntil(async () => (await ledger.get('/v1/cards/v_1')).json().balance === 10)
  await ledger.owner.query('alter table projection.cards add column note text; alter table projection.customers add column note text; alter table projection.movement_observations add column note text')
  await ledger.post(awardData({ rule: 'ern_2' }))
  await waitUntil(async () => (await ledger.get('/v1/cards/v_1')).json().balance === 20)
  t.ok(failures.length > 0, 'a statement was refused')
  t.match(failures, failures.map(() => ({ name: 'StepFailed', cause: { routine: 'RevalidateCachedQuery' } })), 'and nothing else happened')
  t.equal((await ledger.owner.query('select from projection.parked')).rowCount, 0)
})

test('a connection that breaks in the middle of a transaction costs that transaction, not the process', async t => {
  const ledger = await openLedger(t)
  const broken = ledger.db.transaction().execute(async trx => {
    const { rows: [self] } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(trx)
    await ledger.owner.query('select pg_terminate_backend($1)', [self?.pid])
    // No query is under way when the connection ends: nobody but the client itself can be told.
    await waitUntil(async () => (await ledger.owner.query('select from pg_stat_activity where pid = $1', [self?.pid])).rowCount === 0)
    await sql`select 1`.execute(trx)
  })
  await t.rejects(broken)
  t.equal((await ledger.post(awardData())).json().status, 'accepted')
})

test('a shard that keeps failing for a reason that could pass does not starve the others', async t => {
  const ledger = await openLedger(t, { shards: 16 })
  await ledger.owner.query(`
    create function refuse () returns trigger language plpgsql as $$ begin raise exception 'too slow' using errcode = 'query_canceled'; end $$;
    create trigger refuse before insert on projection.orders for each row when (new.order_id = 'ord_slow') execute function refuse()`)
  await ledger.post(orderData({ id: 'ord_slow', customer: 'cust_1' }))
  const worker = startWorker(ledger.steps, { projections, batch: 100 })
  t.teardown(() => worker.stop())
  await waitUntil(() => worker.health().resting.length === 1)
  for (let index = 0; index < 10; index++) {
    await ledger.post(orderData({ id: `ord_${index}`, customer: 'cust_3' }))
    await waitUntil(async () => (await ledger.get(`/v1/orders/ord_${index}`)).statusCode === 200, { timeout_ms: 5000, what: `order ${index} of another shard` })
  }
  await ledger.owner.query('drop trigger refuse on projection.orders')
  await waitUntil(async () => (await ledger.get('/v1/orders/ord_slow')).statusCode === 200)
})

test('large bodies that compress well are taken in batches that fit', async t => {
  const ledger = await openLedger(t, { shards: 1, bodyLimitBytes: 2_000_000 })
  for (let index = 0; index < 20; index++) {
    await ledger.post({ ...orderData({ id: `ord_${index}` }), order: { ...orderData({ id: `ord_${index}` }).order, metadata: { filler: 'x'.repeat(1_000_000) } } })
  }
  const first = await runStep(ledger.steps, projections, { batch: 1000 })
  t.ok(first !== undefined && first.events >= 15 && first.events < 20, `${first?.events} events of 1 MB in a step`)
  await ledger.project()
  t.equal((await ledger.get('/v1/customers/cust_1')).json().totals.orders, 20)
})

/** Posts an award to each of some customers, who are in several shards. @returns those shards */
async function award (ledger: TestLedger, customers: readonly string[], rule: string): Promise<Set<string>> {
  const positions = await Promise.all(customers.map(async customer =>
    (await ledger.post(awardData({ customer, card: `v_of_${customer}`, rule, points: 1, balance: null }))).json<{ position: string }>().position))
  return new Set(positions.map(position => position.split(':')[0] ?? ''))
}

const CROWD = Array.from({ length: 12 }, (_, index) => `cust_${index}`)

test('shards that have little to do are folded in one step, to the same rows as one by one', async t => {
  const states = await Promise.all([false, true].map(async together => {
    const ledger = await openLedger(t)
    const shards = await award(ledger, CROWD, 'ern_1')
    await award(ledger, CROWD, 'ern_2')
    if (together) {
      const stepped = await runJointStep(ledger.steps, projections, { batch: 1000 })
      t.strictSame(new Set(stepped.map(({ shard }) => String(shard))), shards, 'all of them at once')
      t.equal(stepped.reduce((sum, { events }) => sum + events, 0), 24)
      t.strictSame(await runJointStep(ledger.steps, projections, { batch: 1000 }), [])
    } else {
      t.equal(await ledger.project(), 24)
    }
    return await dumpProjections(ledger.owner, { recordedAt: false })
  }))
  t.strictSame(states[1], states[0])
})

test('a step over several shards takes no more than a batch, and leaves alone what rests or others hold', async t => {
  const ledger = await openLedger(t)
  const shards = [...await award(ledger, CROWD, 'ern_1')].map(Number)
  await award(ledger, CROWD, 'ern_2')
  const [resting, held, ...free] = shards
  const holder = await ledger.owner.connect()
  try {
    await holder.query('begin')
    await holder.query('select from projection.checkpoints where shard = $1 for update', [held])
    let most = 0
    for (let taken = -1; taken !== 0; most = Math.max(most, taken)) {
      const stepped = await runJointStep(ledger.steps, projections, { batch: 10, except: [resting ?? -1] })
      taken = stepped.reduce((sum, { events }) => sum + events, 0)
      t.ok(stepped.every(({ shard }) => free.includes(shard)), `${taken} events in shards ${stepped.map(({ shard }) => shard).join(', ')}`)
    }
    t.ok(most > 4 && most <= 10, `${most} events at most`)
    await holder.query('rollback')
  } finally {
    holder.release()
  }
  await ledger.project()
  for (const customer of CROWD) t.equal((await ledger.get(`/v1/cards/v_of_${customer}`)).json().balance, 2)
})

test('what cannot be folded of one shard is parked, and what was to be folded with it goes on', async t => {
  const ledger = await openLedger(t)
  await ledger.owner.query("alter table projection.cards add constraint refused check (card_id <> 'v_of_cust_3')")
  await award(ledger, CROWD, 'ern_1')
  while ((await runJointStep(ledger.steps, projections, { batch: 1000 })).length > 0);
  const { rows } = await ledger.owner.query('select key from projection.parked')
  t.strictSame(rows, [{ key: 'card:v_of_cust_3' }])
  for (const customer of CROWD.filter(customer => customer !== 'cust_3')) t.equal((await ledger.get(`/v1/cards/v_of_${customer}`)).json().balance, 1)
})

function customerIn (shard: number, shards: number): string {
  for (let index = 0; ; index++) if (shardOf(`cust_${index}`, shards) === shard) return `cust_${index}`
}

test('a quiet shard beside a busy one is not passed over, though anything be parked', async t => {
  const ledger = await openLedger(t, { shards: 4 })
  await ledger.owner.query(`
    insert into projection.parked (projection, key, shard, position, event_id, subject, code, reason)
    values ('cards', 'card:v_elsewhere', 1, 1, 'e', 's', 'fold_failed', 'for the sake of the argument')`)
  const observeFields = async (shard: number, index: number): Promise<void> => {
    await ledger.post(awardData({ customer: customerIn(shard, 4), card: `v_${shard}`, rule: `ern_${index}`, trigger: `evcus_${index}` }))
  }
  await observeFields(3, 0)
  const folded: number[] = []
  for (let round = 1; round <= 4 && !folded.includes(3); round++) {
    await observeFields(0, round)
    folded.push(...(await runJointStep(ledger.steps, projections, { batch: 2000 })).map(({ shard }) => shard))
  }
  t.ok(folded.includes(3), `of shards ${folded.join(', ')}`)
})

test('where the database is lost over several shards, each goes alone once, and then only what is to blame waits', async t => {
  const ledger = await openLedger(t, { shards: 8 })
  for (let shard = 0; shard < 8; shard++) await ledger.post(awardData({ customer: customerIn(shard, 8), card: `v_${shard}`, trigger: `evcus_${shard}` }))
  let tries = 0
  const lossy = projections.map((projection): Projection => projection.name !== 'cards'
    ? projection
    : {
        ...projection,
        async apply (trx, observed) {
          if (observed.some(({ fact }) => 'card_id' in fact && fact.card_id === 'v_5')) {
            tries += 1
            throw Object.assign(new Error('canceling statement due to user request'), { code: '57014' })
          }
          await projection.apply(trx, observed)
        }
      })
  const done = new Set<number>()
  let triesBefore = 0
  const worker = startWorker(ledger.steps, { projections: lossy, batch: 2000, onStep: ({ shard }) => { done.add(shard); triesBefore = tries } })
  t.teardown(() => worker.stop())
  await waitUntil(() => done.size === 7, { what: 'the seven others' })
  t.ok(triesBefore <= 4, `after ${triesBefore} tries of what is to blame`)
  await waitUntil(() => worker.health().resting.length === 1)
  t.match(worker.health().resting, [{ shard: 5 }])

  // It comes again and again, and nobody waits with it.
  const before = tries
  for (let index = 0; tries < before + 3; index++) {
    await ledger.post(awardData({ customer: customerIn(2, 8), card: 'v_2', trigger: `evcus_again_${index}` }))
    await waitUntil(async () => (await ledger.get('/v1/cards/v_2')).json().balance === 20 + 10 * index, { what: 'shard 2 to go on' })
  }
  t.match(worker.health().resting, [{ shard: 5 }])
})

test('of large bodies several shards take together what fits', async t => {
  const ledger = await openLedger(t, { bodyLimitBytes: 2_000_000 })
  for (let index = 0; index < 24; index++) {
    const order = orderData({ id: `ord_${index}`, customer: CROWD[index % CROWD.length] ?? '' })
    await ledger.post({ ...order, order: { ...order.order, metadata: { filler: 'x'.repeat(1_000_000) } } })
  }
  let events = 0
  for (let taken = -1; taken !== 0; events += taken) {
    taken = (await runJointStep(ledger.steps, projections, { batch: 1000 })).reduce((sum, stepped) => sum + stepped.events, 0)
    t.ok(taken < 24, `${taken} events of 1 MB in a step`)
  }
  t.equal(events, 24)
})

test('a step at the end of a long card reads that end, also on tables that were never analysed', async t => {
  const ledger = await openLedger(t, { shards: 1 })
  await ledger.post(awardData({ rule: 'ern_1', points: 1, at: '2020-01-01T00:00:00Z' }))
  await ledger.project()
  await ledger.owner.query(`
    insert into projection.statement_lines (card_id, occurred_at, ordinal, movement_id, kind, points, balance, reported_balance, observed, exact, recorded_at, event_id)
    select 'v_1', timestamptz '2021-01-01' + n * interval '1 minute', 0, 'm' || n, 'accrual', 1, 1 + n, 1 + n, false, false, now(), 'ev' || n
    from generate_series(1, 20000) n`)
  const read = await ledger.db.transaction().execute(async trx => {
    const before = await linesRead(trx)
    const starts = await findTailStarts(trx, [{ card_id: 'v_1', at: parseInstant('2021-01-14T21:10:00Z') as Instant }])
    const from = starts.get('v_1') as Instant
    const tail = (await readTails(trx, starts)).get('v_1')
    t.strictSame([from, tail?.lines.length, tail?.balance_before], ['2021-01-14T21:09:00.000000Z', 12, 19989n])
    await replaceTails(trx, [{ card_id: 'v_1', from, lines: [] }])
    return await linesRead(trx) - before
  })
  t.ok(read < 50n, `${read} lines read for a tail of 12`)
})

async function linesRead (trx: Trx): Promise<bigint> {
  const { rows: [read] } = await sql<{ lines: bigint }>`select sum(seq_tup_read + idx_tup_fetch) as lines from pg_stat_xact_user_tables where relname = 'statement_lines'`.execute(trx)
  return read?.lines ?? 0n
}

test('while no shard can be claimed the worker tries seldom, however often it is nudged', async t => {
  const ledger = await openLedger(t)
  await ledger.owner.query('revoke select on projection.checkpoints from ledger_service')
  let failures = 0
  const worker = startWorker(ledger.steps, { projections, batch: 10, onFailure: () => { failures++ } })
  t.teardown(() => worker.stop())
  let nudges = 0
  await waitUntil(() => {
    worker.nudge()
    return ++nudges === 100
  })
  t.ok(failures > 1 && failures < 15, `${failures} tries`)
  t.match(worker.health(), { alive: true, waiting: /permission denied/ })
  await ledger.post(awardData())
  await ledger.owner.query('grant select on projection.checkpoints to ledger_service')
  await waitUntil(async () => (await ledger.get('/v1/cards/v_1')).statusCode === 200)
})

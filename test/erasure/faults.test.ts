// What becomes of an erasure that is killed, and of one beside a ledger that goes on.
import { test } from 'tap'
import { append } from '../../src/log/append.sql.ts'
import { projections } from '../../src/projections/index.ts'
import { runStep } from '../../src/engine/step.ts'
import { shardOf } from '../../src/log/shards.sql.ts'
import { identify } from '../../src/providers/voucherify/identify.ts'
import { findEverywhere } from '../support/everywhere.ts'
import { enveloped, orderData } from '../support/deliveries.ts'
import { dumpProjections, openLedger, type TestLedger } from '../support/ledger.ts'
import { waitUntil } from '../support/wait.ts'
import { SECRETS } from '../providers/voucherify/personal.ts'
import { erase, impersonal, ownerOf, plantedHistory, refolded, SHARDS, takeAll } from './support.ts'

class Killed extends Error {
  override message = 'killed'
}

async function eventsErased (ledger: TestLedger): Promise<number> {
  const { rows: [row] } = await ledger.owner.query<{ n: number }>('select count(*)::int as n from ledger.events where erased_by is not null')
  return row?.n ?? 0
}

/**
 * One customer with more events than one transaction takes. The reasons name them; nothing but their own objects says
 * how they are called.
 */
async function longHistory (ledger: TestLedger): Promise<string> {
  const { customer_id, bodies } = plantedHistory({ seed: 7, customers: 1, events: 420 })
  await takeAll(ledger, bodies)
  await ledger.project()
  return customer_id
}

test('killed between any two transactions, log and projections agree; begun again, it does the rest', async t => {
  const ledger = await openLedger(t, { shards: SHARDS, queueLimit: 20_000 })
  const customer_id = await longHistory(ledger)
  const before = await dumpProjections(ledger.owner)
  const db = ownerOf(t, ledger)
  const planned = (await erase(db, customer_id, { dryRun: true })).erased.events
  let kills = 0
  for (let finished = false; !finished;) {
    const erasing = erase(db, customer_id, { onChunk: done => { if (done === 1) throw new Killed() } })
    finished = await erasing.then(() => true, (error: unknown) => {
      if (!(error instanceof Killed)) throw error
      return false
    })
    const now = await dumpProjections(ledger.owner)
    t.strictSame(await refolded(ledger), now, `after kill ${kills}: as folded from the log as it stands`)
    t.strictSame(impersonal(now), impersonal(before), 'and nothing else is different')
    if (!finished) kills++
  }
  t.ok(kills >= 3, `${kills} kills`)
  t.equal(await eventsErased(ledger), planned)
  t.strictSame(await findEverywhere(ledger.owner, SECRETS), [])
})

test('killed after all that says how the customer is called is gone: texts that name them were cleaned before', async t => {
  const ledger = await openLedger(t, { shards: 1 })
  const named = Array.from({ length: 150 }, (_, index) => enveloped({ customer: { id: 'cust_ada', name: 'Ada Lovelace', object: 'customer' } }, { id: `ev_a${index}`, eventType: 'customer.updated' }))
  const unnamed = Array.from({ length: 100 }, (_, index) => enveloped({ voucher: { id: 'v_ada', type: 'LOYALTY_CARD', holder_id: 'cust_ada', metadata: { a: 1 } } }, { id: `ev_b${index}`, eventType: 'voucher.updated' }))
  const gift = enveloped({ voucher: { id: 'v_ada', type: 'LOYALTY_CARD', holder_id: 'cust_ada' }, transaction: { id: 'vtx_1', type: 'POINTS_ADDITION', voucher_id: 'v_ada', created_at: '2026-01-01T10:00:00Z', reason: 'sorry, Ada!', details: { balance: { points: 5, balance: 5 } } } }, { id: 'ev_c', eventType: 'voucher.loyalty_card.transaction.created' })
  for (const body of [...named, ...unnamed, gift]) await ledger.post(body)
  await ledger.project()
  const db = ownerOf(t, ledger)
  await t.rejects(erase(db, 'cust_ada', { onChunk: (done, of) => { if (done === of - 1) throw new Killed() } }), { message: 'killed' })
  t.strictSame(await findEverywhere(ledger.owner, ['Lovelace']), [], 'the name is gone')
  t.not((await erase(db, 'cust_ada')).erased.events, 0, 'there was more to do')
  t.strictSame(await findEverywhere(ledger.owner, ['sorry']), [])
  t.match((await ledger.get('/v1/cards/v_ada')).json(), { balance: 5 })
})

test('a backend that is killed in the middle of a transaction leaves nothing of it', async t => {
  const ledger = await openLedger(t, { shards: SHARDS, queueLimit: 20_000 })
  const customer_id = await longHistory(ledger)
  const before = await dumpProjections(ledger.owner)
  const db = ownerOf(t, ledger)
  // The record is appended last: whoever holds its shard stops the erasure where all else of the transaction is done.
  const holder = await ledger.owner.connect()
  t.teardown(() => { holder.release(true) })
  await holder.query('begin')
  await holder.query('select from ledger.shards where shard = $1 for update', [shardOf(customer_id, SHARDS)])
  const erasing = erase(db, customer_id)
  erasing.catch(() => {})
  await waitUntil(async () => {
    const { rowCount } = await ledger.owner.query("select pg_terminate_backend(pid) from pg_stat_activity where query like '%ledger.append(%' and wait_event_type = 'Lock' and datname = current_database()")
    return (rowCount ?? 0) > 0
  }, { what: 'the erasure to wait for the shard' })
  await t.rejects(erasing, { message: /terminat/ })
  t.strictSame(await dumpProjections(ledger.owner), before, 'projections')
  t.equal(await eventsErased(ledger), 0, 'events')
  await holder.query('rollback')
  await erase(db, customer_id)
  t.strictSame(await findEverywhere(ledger.owner, SECRETS), [])
})

test('beside appends and steps: nothing that was cleaned comes back', async t => {
  const ledger = await openLedger(t, { shards: SHARDS, queueLimit: 20_000 })
  const { customer_id, bodies } = plantedHistory({ seed: 8, customers: 2, events: 500 })
  await takeAll(ledger, bodies.slice(0, 200))
  await ledger.project()
  const db = ownerOf(t, ledger)
  let going = true
  const stepping = [1, 2].map(async () => {
    while (going) await runStep(ledger.steps, projections, { batch: 7 }).catch((error: unknown) => { if (going) throw error })
  })
  const appending = (async () => {
    for (let at = 200; at < bodies.length; at += 10) await takeAll(ledger, bodies.slice(at, at + 10))
  })()
  let rounds = 0
  const erasing = (async () => {
    for (;;) {
      const { erased } = await erase(db, customer_id)
      rounds++
      if (erased.events + erased.quarantined === 0 && rounds > 1) return
    }
  })()
  await appending
  await erasing
  await erase(db, customer_id)
  going = false
  await Promise.all(stepping)
  await ledger.project()
  t.strictSame(await findEverywhere(ledger.owner, SECRETS), [], `${rounds} rounds`)
  const dump = await dumpProjections(ledger.owner)
  t.strictSame(await refolded(ledger), dump)
})

test('two erasures at once, of customers who share a body: neither brings back what the other took out', async t => {
  const ledger = await openLedger(t, { shards: SHARDS })
  const shared = Array.from({ length: 60 }, (_, index) => enveloped({
    ...orderData({ id: `ord_${index}`, customer: 'cust_one' }),
    customer: { id: 'cust_one', name: 'Ida Rhodes', object: 'customer' },
    referrer: { id: 'cust_two', name: 'Grace Hopper', object: 'customer' }
  }, { id: `ev_${index}`, eventType: 'customer.order.paid' }))
  for (const body of shared) await ledger.post(body)
  await ledger.project()
  const db = ownerOf(t, ledger)
  await Promise.all([erase(db, 'cust_one'), erase(db, 'cust_two')])
  t.strictSame(await findEverywhere(ledger.owner, ['Rhodes', 'Hopper']), [])
})

test('the pages of a search reach every event of a shard', async t => {
  const ledger = await openLedger(t, { shards: 1 })
  const events = Array.from({ length: 1203 }, (_, index) => {
    const customer = index % 400 === 2 ? 'cust_far' : 'cust_other'
    const named = identify(Buffer.from(JSON.stringify(enveloped({ customer: { id: customer, name: 'Far Away', object: 'customer' } }, { id: `ev_${index}`, eventType: 'customer.updated' }))))
    if ('reason' in named) throw new Error(named.detail)
    return { ...named, provider: 'voucherify', shard: 0 }
  })
  await append(ledger.db, events)
  t.match(await erase(ownerOf(t, ledger), 'cust_far'), { searched: { events: 4 }, erased: { events: 4 } })
  t.equal((await findEverywhere(ledger.owner, ['Far Away'])).length, 1199, 'another customer of the same name keeps it')
})

import { test } from 'tap'
import { catchUp, waitForProjections } from '../../src/engine/catch-up.ts'
import type { Projection } from '../../src/engine/projection.ts'
import { cards } from '../../src/projections/cards/projection.ts'
import { projections } from '../../src/projections/index.ts'
import { shardOf } from '../../src/log/shards.sql.ts'
import { awardData } from '../support/deliveries.ts'
import { openLedger, type TestLedger } from '../support/ledger.ts'

/** Customers in shards of their own. */
const CUSTOMERS = [...new Map(['cust_1', 'cust_2', 'cust_3', 'cust_4', 'cust_5'].map(customer => [shardOf(customer, 16), customer]))]
  .map(([shard, customer]) => ({ shard, customer }))

async function openFilled (t: Parameters<typeof openLedger>[0]): Promise<TestLedger> {
  const ledger = await openLedger(t)
  for (const { customer } of CUSTOMERS) await ledger.post(awardData({ customer, card: `v_${customer}`, trigger: `ev_${customer}` }))
  return ledger
}

test('a shard that cannot be projected is left out and named; the others catch up', async t => {
  const ledger = await openFilled(t)
  const [{ shard: broken } = { shard: -1 }] = CUSTOMERS
  await ledger.owner.query('update ledger.shards set head = head + 1 where shard = $1', [broken])
  const lagging = await catchUp(ledger.db, projections, { batch: 10, wait_ms: 0 })
  t.match(lagging, [{ shard: broken, position: 1n, head: 2n, cause: /event \d+:2 is missing/ }])
  t.equal(lagging.length, 1)
  t.equal(await ledger.owner.query('select from projection.cards').then(({ rowCount }) => rowCount), CUSTOMERS.length)
})

test('what comes in meanwhile does not keep it going', async t => {
  const ledger = await openFilled(t)
  let posted = 0
  const busy: Projection = {
    ...cards,
    async apply () {
      if (posted++ > 20) return
      for (const { customer } of CUSTOMERS) await ledger.post(awardData({ customer, card: `v_${customer}`, trigger: `ev_${customer}_${posted}` }))
    }
  }
  t.strictSame(await catchUp(ledger.db, [busy], { batch: 1, wait_ms: 0 }), [])
  t.equal(posted, CUSTOMERS.length, 'one step for each event that was there at the start')
})

test('who may only read waits for others, in bounded time, and says what lags', async t => {
  const ledger = await openFilled(t)
  t.strictSame((await waitForProjections(ledger.db, projections, { wait_ms: 0 })).map(({ shard }) => shard), CUSTOMERS.map(({ shard }) => shard).sort((a, b) => a - b))
  const waiting = waitForProjections(ledger.db, projections, { wait_ms: 30_000 })
  await ledger.project()
  t.strictSame(await waiting, [])
})

test('a shard that loses a race is tried again, however many others lose one, too', async t => {
  const ledger = await openFilled(t)
  const lost = new Set<string>()
  const racing: Projection = {
    ...cards,
    async apply (trx, observed) {
      for (const { event_id } of observed) {
        if (lost.size === lost.add(event_id).size) continue
        throw Object.assign(new Error('deadlock detected'), { code: '40P01' })
      }
      await cards.apply(trx, observed)
    }
  }
  for (const more of ['6', '7', '8', '9', '10', '11', '12']) await ledger.post(awardData({ customer: `cust_${more}`, card: `v_${more}`, trigger: `ev_${more}` }))
  t.strictSame(await catchUp(ledger.db, [racing], { batch: 1000, wait_ms: 0 }), [])
  t.ok(lost.size > 5, `${lost.size} races were lost`)
})

test('one that loses every race is given up, and named', async t => {
  const ledger = await openFilled(t)
  const [{ shard } = { shard: -1 }] = CUSTOMERS
  const { rows: [event] } = await ledger.owner.query<{ event_id: string }>('select event_id from ledger.events where shard = $1', [shard])
  const racing: Projection = {
    ...cards,
    async apply (trx, observed) {
      if (observed.some(({ event_id }) => event_id === event?.event_id)) throw Object.assign(new Error('deadlock detected'), { code: '40P01' })
      await cards.apply(trx, observed)
    }
  }
  t.match(await catchUp(ledger.db, [racing], { batch: 1000, wait_ms: 0 }), [{ shard, position: 0n, cause: 'deadlock detected' }])
})

import { test } from 'tap'
import { catchUp, waitForProjections } from '../../src/projections/catch-up.ts'
import type { Projection } from '../../src/projections/projection.ts'
import { cards } from '../../src/projections/cards.ts'
import { projections } from '../../src/projections/index.ts'
import { shardOf } from '../../src/store/shards.ts'
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

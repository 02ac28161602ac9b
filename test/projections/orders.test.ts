// Orders that no event of their own brings: a project's webhooks show an order only inside awards, spends and rows.
import { test } from 'tap'
import { awardData, orderData } from '../support/deliveries.ts'
import { openLedger } from '../support/ledger.ts'

const CREATED = '2026-01-01T09:59:00.000Z'

test('a fresh order inside an award is an order, though nothing has changed it yet', async t => {
  const ledger = await openLedger(t)
  const { order } = orderData({ createdAt: CREATED })
  t.equal((await ledger.post({ ...awardData(), order: { ...order, updated_at: null } })).statusCode, 202)
  await ledger.project()
  t.match((await ledger.get('/v1/orders/ord_1')).json(), { status: 'PAID', updated_at: '2026-01-01T09:59:00.000000Z', states: [{ status: 'PAID' }] })

  t.equal((await ledger.post(orderData({ createdAt: CREATED, status: 'FULFILLED', updatedAt: '2026-01-01T10:00:00.000Z' }))).statusCode, 202)
  await ledger.project()
  t.match((await ledger.get('/v1/orders/ord_1')).json(), { status: 'FULFILLED', states: [{ status: 'PAID' }, { status: 'FULFILLED' }] })
})

test('an order without any time is not one: nobody could say which of its states is newer', async t => {
  const ledger = await openLedger(t)
  const { order } = orderData()
  t.equal((await ledger.post({ ...awardData(), order: { ...order, created_at: null, updated_at: null } })).statusCode, 202)
  await ledger.project()
  t.equal((await ledger.get('/v1/orders/ord_1')).statusCode, 404)
})

test('an order that changes customers shows whose it was when', async t => {
  const ledger = await openLedger(t)
  for (const order of [orderData({ createdAt: CREATED, status: 'CREATED', updatedAt: '2026-01-01T10:00:00.000Z' }), orderData({ customer: 'cust_2', createdAt: CREATED, updatedAt: '2026-01-01T11:00:00.000Z' })]) {
    t.equal((await ledger.post(order)).statusCode, 202)
  }
  await ledger.project()
  t.match((await ledger.get('/v1/orders/ord_1')).json(), { customer_id: 'cust_2', states: [{ customer_id: 'cust_1', status: 'CREATED' }, { customer_id: 'cust_2', status: 'PAID' }] })
})

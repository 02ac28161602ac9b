// JSON as received: the numbers of metadata and items come out as they came in, wherever they are read.
import { test } from 'tap'
import { awardData, enveloped, orderData } from '../support/deliveries.ts'
import { openLedger } from '../support/ledger.ts'

const NUMBERS = '{"bag":[0.10,{"c":1E5}],"erp_id":1152921506151679042,"huge":1e400,"minus":-0,"price":19.990,"tiny":0.00000010}'

test('numbers inside metadata and items are answered, reported and exported as they were received', async t => {
  const ledger = await openLedger(t)
  const order = JSON.stringify(enveloped(orderData(), { eventType: 'customer.order.paid' }))
    .replace('"items":[],"metadata":{}', `"items":[{"price":19.990}, 1.0],"metadata":${NUMBERS}`)
    .replace('"source_id":"source-of-cust_1","name":"Ada","email":null,"metadata":{}', `"source_id":12345678901234567890,"name":7.50,"metadata":${NUMBERS}`)
  t.equal((await ledger.post(order)).json().status, 'accepted')
  const award = JSON.stringify(enveloped(awardData({ customer: 'cust_2' }), { id: 'ev_2' })).replace('"code":"CODE-v_1"', '"code":1234567890123456789')
  t.equal((await ledger.post(award)).json().status, 'accepted')
  await ledger.project()

  for (const path of ['/v1/orders/ord_1', '/v1/customers/cust_1/orders', '/v1/customers/cust_1', '/v1/customers']) {
    const { body, statusCode, headers } = await ledger.get(path)
    t.equal(statusCode, 200, path)
    t.match(body, `"metadata":${NUMBERS}`, path)
    t.equal(Number(headers['content-length']), Buffer.byteLength(body), `${path}: as long as it says`)
    if (path.includes('orders')) t.match(body, '"items":[{"price":19.990},1.0]', path)
  }
  t.match((await ledger.get('/v1/customers/cust_1')).json(), { source_id: '12345678901234567890', name: '7.50' }, 'where a text belongs, the text of the number')
  t.match((await ledger.get('/v1/cards/1234567890123456789')).json(), { card_id: 'v_1', code: '1234567890123456789' })
  t.match((await ledger.get('/v1/events/ev_1')).body, `"items":[{"price":19.990},1.0],"metadata":${NUMBERS}`, 'of the event')

  for (const { view, of } of [{ view: 'orders', of: "order_id = 'ord_1'" }, { view: 'customers', of: "customer_id = 'cust_1'" }]) {
    const { rows } = await ledger.owner.query<{ metadata: string }>(`select metadata::text from reporting.${view} where ${of}`)
    t.strictSame(rows, [{ metadata: NUMBERS }], `reporting.${view}`)
  }
  const { rows: [kept] } = await ledger.owner.query<{ body: string }>("select body::text from ledger.events where event_id = 'ev_1'")
  t.equal(kept?.body, order, 'what the export writes')
})

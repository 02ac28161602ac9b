import { test } from 'tap'
import { createDryRun } from '../../src/ingest/dry-run.ts'
import { storeDelivery, storeIdentified, type Ingest } from '../../src/ingest/store-delivery.ts'
import { receiveDelivery } from '../../src/ingest/receive.ts'
import { voucherify } from '../../src/providers/voucherify/provider.ts'
import type { AppendRefused } from '../../src/log/appender.ts'
import { awardData, enveloped, orderData } from '../support/deliveries.ts'
import { openLedger, type TestLedger } from '../support/ledger.ts'

const bytes = (delivery: object | string): Buffer => Buffer.from(typeof delivery === 'string' ? delivery : JSON.stringify(delivery))

async function open (t: Parameters<typeof openLedger>[0]): Promise<{ ledger: TestLedger, intake: Ingest }> {
  const ledger = await openLedger(t)
  return { ledger, intake: { db: ledger.db, appender: ledger.appender, shards: 16 } }
}

/** Everything that taking a delivery in could change. */
async function state (ledger: TestLedger): Promise<unknown> {
  const { rows: [row] } = await ledger.owner.query(`
    select (select count(*)::int from ledger.events) as events,
           (select count(*)::int from ledger.quarantine) as quarantined,
           (select sum(times_seen)::int from ledger.quarantine) as times_seen,
           (select jsonb_agg(to_jsonb(s) order by shard) from ledger.shards s) as shards`)
  return row
}

test('a delivery is taken in once, whatever it came by', async t => {
  const { ledger, intake } = await open(t)
  const first = await receiveDelivery(bytes(enveloped(awardData())), {}, intake)
  t.match(first, { status: 'accepted', event_id: 'ev_1', subject: 'award:ern_1:v_1', position: /^\d+:1$/ })
  t.same(await receiveDelivery(bytes(enveloped(awardData())), {}, intake), { ...first, status: 'duplicate' })
  t.equal((await ledger.post(enveloped(awardData()))).statusCode, 200, 'the webhook goes the same way')
})

test('what a provider names is stored as it is, and not changed', async t => {
  const { ledger, intake } = await open(t)
  const identified = voucherify.identify(bytes(enveloped(awardData())))
  if ('reason' in identified) throw new Error(identified.detail)
  const { event_id, subject, type, customer_id, fact_digest } = Object.freeze(identified)
  t.match(await storeIdentified(identified, intake), { status: 'accepted', event_id: 'ev_1' })
  const { rows: [row] } = await ledger.owner.query("select provider, event_id, subject, type, customer_id, encode(fact_digest, 'hex') as fact_digest from ledger.events")
  t.same(row, { provider: 'voucherify', event_id, subject, type, customer_id, fact_digest })
})

test('what cannot be used is set aside with the headers that matter, and nothing else of them', async t => {
  const { ledger, intake } = await open(t)
  const headers = { 'content-type': 'application/json', 'user-agent': 'Voucherify', 'x-voucherify-signature': 'abc', authorization: 'Bearer secret', cookie: ['a'] }
  const taken = await receiveDelivery(bytes('points=900'), headers, intake)
  t.match(taken, { status: 'quarantined', reason: 'not_json' })
  const { rows } = await ledger.owner.query('select headers, event_id from ledger.quarantine')
  t.same(rows, [{ headers: { 'content-type': 'application/json', 'user-agent': 'Voucherify', 'x-voucherify-signature': 'abc' }, event_id: null }])
})

test('many at once go through in batches', async t => {
  const { ledger, intake } = await open(t)
  const taken = await Promise.all(Array.from({ length: 900 }, async (_, index) => await receiveDelivery(bytes(awardData({ rule: `ern_${index % 300}`, customer: `cust_${index % 7}` })), {}, intake)))
  t.equal(taken.filter(({ status }) => status === 'accepted').length, 300)
  t.match(await state(ledger), { events: 300 })
})

test('what could not be kept is said, never swallowed', async t => {
  const { ledger, intake } = await open(t)
  await ledger.appender.close()
  await t.rejects(receiveDelivery(bytes(awardData()), {}, intake), { name: 'AppendRefused', code: 'unavailable' } satisfies Partial<AppendRefused>)
})

test('a rehearsal tells what would happen, inside the file too, and writes nothing', async t => {
  const { ledger, intake } = await open(t)
  await receiveDelivery(bytes(enveloped(awardData({ points: 7 }))), {}, intake)
  await receiveDelivery(bytes('not json'), {}, intake)
  const before = await state(ledger)
  const file = [
    enveloped(awardData({ points: 7 })), enveloped(awardData({ points: 70 })), 'not json', { hello: 'world' },
    orderData(), orderData(), orderData({ amount: 5 }), orderData({ status: 'CREATED' })
  ].map(bytes)
  const pretending = { ...intake, appender: createDryRun(intake.db) }
  const dryRunAnswered = await Promise.all(file.map(async body => await storeDelivery(body, pretending)))
  t.match(dryRunAnswered, [
    { status: 'duplicate', event_id: 'ev_1', subject: 'award:ern_1:v_1', position: /^\d+:1$/ },
    { status: 'conflict', reason: 'conflict', detail: /is stored at \d+:1 with other facts/ },
    { status: 'unusable', reason: 'not_json' },
    { status: 'unusable', reason: 'unidentified' },
    { status: 'accepted', position: /:0$/ },
    { status: 'duplicate', position: /:0$/ },
    { status: 'conflict', position: /:0$/, detail: /came before with other facts/ },
    { status: 'accepted', event_id: /:CREATED:/ }
  ])
  t.same(await state(ledger), before, 'no row, no count, no head has moved')

  const taken = await Promise.all(file.map(async body => await receiveDelivery(body, {}, intake)))
  const foretold = dryRunAnswered.map(({ status }) => status === 'conflict' || status === 'unusable' ? 'quarantined' : status)
  t.same(taken.map(({ status }) => status), foretold, 'and it happens so')
})

test('a digest of an older version of the code is no conflict: the stored body is read again', async t => {
  const { ledger, intake } = await open(t)
  await receiveDelivery(bytes(enveloped(awardData())), {}, intake)
  const older = { ...intake, appender: { append: async (event: Parameters<Ingest['appender']['append']>[0]) => await ledger.appender.append({ ...event, fact_digest: '00'.repeat(32) }) } }
  t.match(await receiveDelivery(bytes(enveloped(awardData())), {}, older), { status: 'duplicate' })
  t.match(await receiveDelivery(bytes(enveloped(awardData({ points: 70 }))), {}, older), { status: 'quarantined', reason: 'conflict' })
})

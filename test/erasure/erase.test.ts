// A customer is erased from a ledger full of secrets: what is personal is nowhere, all else is as it was.
import { test } from 'tap'
import { ownEvents } from '../../src/providers/own-events.ts'
import { enveloped, orderData } from '../support/deliveries.ts'
import { findEverywhere } from '../support/everywhere.ts'
import { dumpProjections, openLedger, type TestLedger } from '../support/ledger.ts'
import { SECRETS } from '../providers/voucherify/personal.ts'
import { erase, impersonal, ownerOf, plantedHistory, refolded, restoreAll, SHARDS, takeAll } from './support.ts'

/**
 * Do the digests of received bodies still chain, and does a stored erasure vouch for each body that is another by now?
 */
async function brokenLinks (ledger: TestLedger): Promise<unknown[]> {
  const { rows } = await ledger.owner.query(`
    with linked as (
      select e.*, ledger.chain_over(decode(repeat('00', 32), 'hex'), ledger.chain_link(shard, position, event_id, subject, body_digest)) over (partition by shard order by position) as expected,
             encode(sha256(convert_to(body::text, 'UTF8')), 'hex') as digest
      from ledger.events e
    )
    select event_id, subject, erased_by from linked e
    where chain <> expected or body_bytes <> octet_length(body::text) or case when erased_by is null then digest <> encode(body_digest, 'hex') else not exists (
      select from ledger.events r cross join json_array_elements(r.body -> 'data' -> 'erased') l
      where r.event_id = e.erased_by and r.customer_id is not null and l ->> 'event_id' = e.event_id and l ->> 'subject' = e.subject and l ->> 'body_digest' = e.digest) end`)
  return rows
}

for (const seed of [1, 2, 3]) {
  test(`history ${seed}: nothing personal is left, nothing else is different, and a fold from nothing gives the same`, async t => {
    const ledger = await openLedger(t, { shards: SHARDS, queueLimit: 20_000 })
    const { customer_id, bodies } = plantedHistory({ seed, customers: 3, events: 160 })
    await takeAll(ledger, bodies)
    await ledger.project()
    t.ok((await findEverywhere(ledger.owner, SECRETS)).length > 100, 'full of secrets')
    const before = await dumpProjections(ledger.owner)
    const stored = await ledger.owner.query<{ events: number, rows: number }>('select (select count(*)::int from ledger.events) as events, (select count(*)::int from ledger.quarantine) as rows')

    const db = ownerOf(t, ledger)
    const dryRunAnswered = await erase(db, customer_id, { dryRun: true })
    t.strictSame(await dumpProjections(ledger.owner), before, 'a rehearsal writes nothing')
    const erasure = await erase(db, customer_id)
    t.strictSame(erasure.erased, dryRunAnswered.erased, 'and counts what is done')
    t.ok(erasure.erased.events > 20, `${erasure.erased.events} events`)

    t.strictSame(await findEverywhere(ledger.owner, SECRETS), [], 'no secret anywhere')
    t.strictSame(await brokenLinks(ledger), [], 'the chain holds, and vouches for what was redacted')
    const after = await dumpProjections(ledger.owner)
    t.strictSame(impersonal(after), impersonal(before), 'all else is as it was')
    t.strictSame(await refolded(ledger), after, 'as folded from nothing')
    t.strictSame(await erase(db, customer_id), { ...erasure, erased: { events: 0, quarantined: 0 }, recorded: [] }, 'nothing is left to do')
    const { rows: [count] } = await ledger.owner.query<{ events: number, rows: number }>('select (select count(*)::int from ledger.events) as events, (select count(*)::int from ledger.quarantine) as rows')
    t.strictSame(count, { events: (stored.rows[0]?.events ?? 0) + erasure.recorded.length, rows: stored.rows[0]?.rows }, 'no row more or less but the record')

    const elsewhere = await openLedger(t, { shards: SHARDS, queueLimit: 20_000 })
    const { rows } = await ledger.owner.query<{ body: string }>('select body::text as body from ledger.events order by md5(event_id || subject)')
    await restoreAll(elsewhere, rows.map(({ body }) => Buffer.from(body)))
    await elsewhere.project(37)
    t.strictSame(impersonalOfArrival(await dumpProjections(elsewhere.owner, { recordedAt: false })), impersonalOfArrival(await dumpProjections(ledger.owner, { recordedAt: false })), 'fed with the redacted bodies, in another order, another ledger comes to the same')
    const { rows: erasures } = await elsewhere.owner.query("select event_id from ledger.events where type = 'ledger.customer.erased' and customer_id = $1", [customer_id])
    t.strictSame(erasures.map(row => (row as { event_id: string }).event_id).sort(), [...erasure.recorded].sort(), 'the record goes with them')
  })
}

/** Which of several tellings was stored first is decided by arrival. */
function impersonalOfArrival (dump: Record<string, string[]>): Record<string, string[]> {
  const withoutEvent = (rows: readonly string[] = []): string[] => rows.map(row => row.replace(/"event_id": "[^"]*"/, '').replace(/"subject": "[^"]*"/, '')).sort()
  return { ...dump, order_states: withoutEvent(dump.order_states), card_snapshots: withoutEvent(dump.card_snapshots) }
}

test('a record of an erasure is an event like any other: read back, it has the same name', async t => {
  const ledger = await openLedger(t, { shards: SHARDS })
  const { customer_id, bodies } = plantedHistory({ seed: 4, customers: 1, events: 30 })
  await takeAll(ledger, bodies)
  await ledger.project()
  const { recorded } = await erase(ownerOf(t, ledger), customer_id)
  const { rows: [event] } = await ledger.owner.query<{ body: string, event_id: string, subject: string, fact_digest: Buffer, customer_id: string }>(
    'select body::text as body, event_id, subject, fact_digest, customer_id from ledger.events where event_id = $1', [recorded[0]])
  t.match(ownEvents.identify(Buffer.from(event?.body ?? '')), { event_id: event?.event_id, subject: `customer:${customer_id}`, type: 'ledger.customer.erased', customer_id, fact_digest: event?.fact_digest.toString('hex') })
  t.match(JSON.parse(event?.body ?? ''), { data: { reason: 'on request', decided_by: 'a test' } })
})

test('of ids of the merchant\'s those that are addresses go: the one before stands again, as folded from nothing', async t => {
  const ledger = await openLedger(t, { shards: SHARDS })
  const observed = (id: string, at: string, source_id: string): Promise<unknown> => ledger.post(enveloped({ customer: { id: 'cust_1', source_id, name: 'Ada', object: 'customer' } }, { id, eventType: 'customer.updated', at }))
  await observed('ev_1', '2026-01-01T10:00:00.000Z', 'shop-1815')
  await observed('ev_2', '2026-01-02T10:00:00.000Z', 'ada@example.com')
  await ledger.project()
  t.match((await ledger.get('/v1/customers/cust_1')).json(), { source_id: 'ada@example.com', name: 'Ada' })
  await erase(ownerOf(t, ledger), 'cust_1')
  t.match((await ledger.get('/v1/customers/cust_1')).json(), { source_id: 'shop-1815', name: null })
  const dump = await dumpProjections(ledger.owner)
  t.strictSame(await refolded(ledger), dump)
  t.match((await ledger.get('/v1/events/ev_2')).json(), { items: [{ erased_by: /^erasure:/, body_text: /"id":"cust_1"/ }] })
})

test('states of an order that differed in metadata alone become one, told by the earliest', async t => {
  const ledger = await openLedger(t, { shards: SHARDS })
  const state = (id: string, metadata: object): Promise<unknown> => ledger.post(enveloped({ customer: { id: 'cust_1', object: 'customer' }, order: { ...orderData().order, metadata } }, { id, eventType: 'customer.order.paid' }))
  await state('ev_1', { gift: 'for Grace' })
  await state('ev_2', { gift: 'for Ada' })
  await ledger.project()
  const states = async (): Promise<unknown[]> => (await ledger.owner.query('select event_id, amount, metadata from projection.order_states order by event_id')).rows
  t.equal((await states()).length, 2)
  await erase(ownerOf(t, ledger), 'cust_1')
  t.strictSame(await states(), [{ event_id: 'ev_1', amount: '1000', metadata: null }])
})

for (const [how, first, second] of [
  ['in one of its states', { gift_for: 'ada@example.com' }, {}],
  ['in a state that a body tells, too, which nothing else links', { gift_for: 'Ada Lovelace', observed_in: 'cust_ada' }, { gift_for: 'Ada Lovelace' }]
] as const) {
  test(`an order of somebody else that named the erased one ${how} is as folded from nothing`, async t => {
    const ledger = await openLedger(t, { shards: SHARDS })
    await ledger.post(enveloped({ customer: { id: 'cust_ada', name: 'Ada Lovelace', email: 'ada@example.com', object: 'customer' } }, { id: 'ev_0', eventType: 'customer.updated' }))
    const observed = async (id: string, change: { status: string, amount: number, updatedAt: string }, metadata: object): Promise<void> => {
      const data = orderData({ id: 'ord_bob', customer: 'cust_bob', ...change })
      await ledger.post(enveloped({ ...data, order: { ...data.order, metadata } }, { id, eventType: 'customer.order.paid' }))
    }
    await observed('ev_1', { status: 'CREATED', amount: 1000, updatedAt: '2026-01-01T10:00:00.000Z' }, first)
    await observed('ev_2', { status: 'PAID', amount: 2500, updatedAt: '2026-01-01T10:05:00.000Z' }, second)
    await ledger.project()
    await erase(ownerOf(t, ledger), 'cust_ada')
    t.match((await ledger.get('/v1/orders/ord_bob')).json(), { status: 'PAID', amount: 2500 })
    t.strictSame(await findEverywhere(ledger.owner, ['ada@example.com', 'Ada Lovelace']), [])
    const after = await dumpProjections(ledger.owner)
    t.strictSame(await refolded(ledger), after)
  })
}

import { test } from 'tap'
import { redrive, redriveAll, type Redriven } from '../../../src/ingest/quarantine/redrive.ts'
import type { Ingest } from '../../../src/ingest/store-delivery.ts'
import { receiveDelivery } from '../../../src/ingest/receive.ts'
import { markDiscarded, quarantine } from '../../../src/ingest/quarantine/quarantine.sql.ts'
import { awardData, enveloped } from '../../support/deliveries.ts'
import { openLedger, type TestLedger } from '../../support/ledger.ts'

const bytes = (delivery: object | string): Buffer => Buffer.from(typeof delivery === 'string' ? delivery : JSON.stringify(delivery))

async function open (t: Parameters<typeof openLedger>[0]): Promise<{ ledger: TestLedger, intake: Ingest, keep: (delivery: object | string, reason?: string) => Promise<bigint> }> {
  const ledger = await openLedger(t)
  return {
    ledger,
    intake: { db: ledger.db, appender: ledger.appender, shards: 16 },
    // As an older version of the code, which could not read it, would have set it aside.
    keep: async (delivery, reason = 'invalid_payload') => (await quarantine(ledger.db, { provider: 'voucherify', body: bytes(delivery), headers: {}, reason, detail: 'older code' })).quarantine_id
  }
}

async function row (ledger: TestLedger, id: bigint): Promise<Record<string, unknown>> {
  const { rows } = await ledger.owner.query<Record<string, unknown>>('select * from ledger.quarantine where quarantine_id = $1', [String(id)])
  return rows[0] ?? {}
}

test('what today\'s code can read is stored, and the row stays with its bytes and tells who, when and which event', async t => {
  const { ledger, intake, keep } = await open(t)
  const id = await keep(enveloped(awardData()))
  const redriven = await redrive(id, 'command line', intake)
  t.match(redriven, { status: 'redriven', event: 'accepted', event_id: 'ev_1', subject: 'award:ern_1:v_1', position: /^\d+:1$/ })
  t.match(await row(ledger, id), { state: 'redriven', decided_by: 'command line', decided_at: Date, event_id: 'ev_1', body: bytes(enveloped(awardData())), times_seen: '1', reason: 'invalid_payload' })
  t.same(await redrive(id, 'me', intake), { status: 'not_open', state: 'redriven' })
  t.same(await redrive(999n, 'me', intake), { status: 'not_found' })
})

test('what still cannot be used stays open and tells why as of now; it was not seen once more', async t => {
  const { ledger, intake, keep } = await open(t)
  await receiveDelivery(bytes(enveloped(awardData({ points: 7 }))), {}, intake)
  const broken = await keep('not json', 'defect')
  t.match(await redrive(broken, 'me', intake), { status: 'still_unusable', reason: 'not_json', detail: /not JSON/ })
  t.match(await row(ledger, broken), { state: 'open', reason: 'not_json', times_seen: '1', decided_at: null })
  const conflicting = await keep(enveloped(awardData({ points: 70 })))
  t.match(await redrive(conflicting, 'me', intake), { status: 'still_conflicting', reason: 'conflict', event_id: 'ev_1' })
  t.match(await row(ledger, conflicting), { state: 'open', reason: 'conflict', event_id: 'ev_1', subject: 'award:ern_1:v_1' })
})

test('what poses as an event of the ledger\'s own is not let in', async t => {
  const { ledger, intake, keep } = await open(t)
  const id = await keep(enveloped({ customer: { id: 'cust_1', object: 'customer' } }, { id: 'ev_own', eventType: 'ledger.customer.erased' }))
  t.match(await redrive(id, 'me', intake), { status: 'still_unusable', reason: 'reserved_type', detail: /ledger\.customer\.erased/ })
  t.equal((await ledger.owner.query('select from ledger.events')).rowCount, 0)
})

test('twice at once stores once, and both are told where', async t => {
  const { ledger, intake, keep } = await open(t)
  const id = await keep(enveloped(awardData()))
  const both = await Promise.all(Array.from({ length: 10 }, async () => await redrive(id, 'me', intake)))
  const stored = both.filter(redriven => redriven.status === 'redriven')
  t.equal(stored.filter(({ event }) => event === 'accepted').length, 1)
  t.equal(new Set(stored.map(({ position }) => position)).size, 1)
  t.ok(both.every(({ status }) => status === 'redriven' || status === 'not_open'))
  t.equal((await ledger.owner.query('select from ledger.events')).rowCount, 1)
})

test('the same bytes once more: a discarded row stays discarded, a redriven one is a duplicate or opens again', async t => {
  const { ledger, intake } = await open(t)
  const discarded = (await quarantine(ledger.db, { provider: 'voucherify', body: bytes('not json'), headers: {}, reason: 'not_json', detail: 'at first' })).quarantine_id
  t.equal(await markDiscarded(ledger.db, discarded, 'a test of theirs', 'me'), true)
  t.equal(await markDiscarded(ledger.db, discarded, 'once more', 'me'), false)
  t.match(await receiveDelivery(bytes('not json'), {}, intake), { status: 'quarantined', quarantine_id: String(discarded) })
  t.match(await row(ledger, discarded), { state: 'discarded', discard_reason: 'a test of theirs', times_seen: '2', detail: 'at first' })

  const redriven = (await quarantine(ledger.db, { provider: 'voucherify', body: bytes(enveloped(awardData())), headers: {}, reason: 'defect', detail: 'older code' })).quarantine_id
  await redrive(redriven, 'me', intake)
  t.match(await receiveDelivery(bytes(enveloped(awardData())), {}, intake), { status: 'duplicate' })
  t.match(await row(ledger, redriven), { state: 'redriven', times_seen: '1' })
  // A later version that cannot read it any more: nobody decided against it.
  t.match(await quarantine(ledger.db, { provider: 'voucherify', body: bytes(enveloped(awardData())), headers: {}, reason: 'invalid_payload', detail: 'newer code' }), { quarantine_id: redriven, fate: 'reopened' })
  t.match(await row(ledger, redriven), { state: 'open', reason: 'invalid_payload', decided_at: null, decided_by: null, times_seen: '2' })
})

test('500 rows while they succeed: none is skipped, what comes in meanwhile does not keep it going', async t => {
  const { ledger, intake, keep } = await open(t)
  const ids: bigint[] = []
  for (let index = 0; index < 500; index++) ids.push(await keep(index % 50 === 49 ? `not json ${index}` : awardData({ rule: `ern_${index}`, customer: `cust_${index % 9}` })))
  const stop = new AbortController()
  let added = 0
  const writer = (async () => {
    while (!stop.signal.aborted) await keep(awardData({ rule: `ern_late_${added++}` }))
  })()
  const fates = new Map<bigint, Redriven>()
  await redriveAll(intake, 'me', {}, (id, redriven) => { fates.set(id, redriven) })
  stop.abort()
  await writer
  t.ok(added > 0, 'rows came in meanwhile')
  t.same([...fates.keys()].slice(0, 500), ids, 'each of them once, in order')
  t.ok(fates.size <= 500 + added)
  t.equal(ids.filter(id => fates.get(id)?.status === 'redriven').length, 490)
  t.equal(ids.filter(id => fates.get(id)?.status === 'still_unusable').length, 10)
  const { rows: [counted] } = await ledger.owner.query("select count(*)::int as events, count(distinct subject)::int as subjects from ledger.events where subject not like '%late%'")
  t.match(counted, { events: 490, subjects: 490 })
})

test('large bodies are redriven by size, never more at once than the appender takes', async t => {
  const { ledger, intake, keep } = await open(t)
  for (let index = 0; index < 80; index++) await keep({ ...awardData({ rule: `ern_${index}` }), padding: 'x'.repeat(1_047_000) })
  const fates: Redriven[] = []
  await redriveAll(intake, 'me', {}, (_id, redriven) => { fates.push(redriven) })
  t.equal(fates.filter(({ status }) => status === 'redriven').length, 80)
  t.equal((await ledger.owner.query('select from ledger.events')).rowCount, 80)
})

test('a walk can keep to one reason', async t => {
  const { ledger, intake, keep } = await open(t)
  const [first, second] = [await keep(awardData({ rule: 'ern_1' }), 'defect'), await keep(awardData({ rule: 'ern_2' }))]
  const observed: bigint[] = []
  await redriveAll(intake, 'me', { reason: 'defect' }, id => { observed.push(id) })
  t.same(observed, [first])
  t.match(await row(ledger, second), { state: 'open' })
})

test('what contradicts a movement is never let in by the dozen: only where a person names it', async t => {
  const { ledger, intake, keep } = await open(t)
  const [usable, contradicting, other] = [await keep(awardData({ rule: 'ern_1' })), await keep(awardData({ rule: 'ern_2' }), 'contradicts_movement'), await keep(awardData({ rule: 'ern_3' }), 'contradicts_movement')]
  const observed: bigint[] = []
  const note = (id: bigint): void => { observed.push(id) }
  await redriveAll(intake, 'me', {}, note)
  t.same(observed.splice(0), [usable])
  t.match(await redrive(contradicting, 'me', intake), { status: 'redriven' }, 'by its id')
  await redriveAll(intake, 'me', { reason: 'contradicts_movement' }, note)
  t.same(observed, [other], 'or by its reason')
  t.equal((await ledger.owner.query('select from ledger.events')).rowCount, 3)
})

test('a database that is away in the middle: what is done is done, and the rest is open', async t => {
  const { ledger, intake, keep } = await open(t)
  for (let index = 0; index < 100; index++) await keep(awardData({ rule: `ern_${index}` }))
  let appends = 0
  const failing: Ingest = {
    ...intake,
    appender: {
      async append (event) {
        if (++appends === 70) await ledger.appender.close()
        return await ledger.appender.append(event)
      }
    }
  }
  let observed = 0
  await t.rejects(redriveAll(failing, 'me', {}, () => { observed++ }), { code: 'unavailable' })
  const { rows: [states] } = await ledger.owner.query<{ redriven: number, open: number, events: number }>("select count(*) filter (where state = 'redriven')::int as redriven, count(*) filter (where state = 'open')::int as open, (select count(*)::int from ledger.events) as events from ledger.quarantine")
  t.same(states, { redriven: observed, open: 100 - observed, events: observed })
})

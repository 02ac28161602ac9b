// The one door through which a stored body can change, tried by those who should not get through.
import { createHash } from 'node:crypto'
import pg from 'pg'
import { test, type Test } from 'tap'
import { append, type Appendable } from '../../src/log/append.sql.ts'
import { lockErasures, writeErasure, type RedactedEvent, type RedactedRow } from '../../src/erasure/erasure.sql.ts'
import { erasureEvent } from '../../src/erasure/record.ts'
import { awardData } from '../support/deliveries.ts'
import { openLedger, type TestLedger } from '../support/ledger.ts'
import { erase, ownerOf, SHARDS } from './support.ts'

const REFUSED = { code: '42501' }

async function filled (t: Test): Promise<{ ledger: TestLedger, key: { event_id: string, subject: string } }> {
  const ledger = await openLedger(t, { shards: SHARDS })
  const answer = (await ledger.post(awardData())).json()
  await ledger.post('not JSON, of "cust_1"')
  await ledger.project()
  return { ledger, key: { event_id: answer.event_id, subject: answer.subject } }
}

async function session (t: Test, ledger: TestLedger): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: ledger.url })
  client.on('error', () => {})
  await client.connect()
  t.teardown(async () => { await client.end() })
  return client
}

test('what is stored stays, for the service and for the owner, also in replica mode', async t => {
  const { ledger } = await filled(t)
  const attempts = [
    "update ledger.events set body = '{}'", "update ledger.events set body = '{}', body_bytes = 2, erased_by = 'erasure:x'", "update ledger.events set erased_by = 'erasure:x'",
    "update ledger.events set type = 'x'", 'delete from ledger.events', 'truncate ledger.events',
    "update ledger.quarantine set body = 'x'", "update ledger.quarantine set body_digest = sha256('x')", "update ledger.quarantine set erased_by = 'erasure:x'"
  ]
  for (const attempt of attempts) await t.rejects(ledger.owner.query(attempt), REFUSED, `owner: ${attempt}`)
  const replica = await session(t, ledger)
  await replica.query('set session_replication_role = replica')
  for (const attempt of attempts) await t.rejects(replica.query(attempt), REFUSED, `owner in replica mode: ${attempt}`)
  const service = await session(t, ledger)
  await service.query('set role ledger_service')
  for (const attempt of [...attempts, "select ledger.erase('', '{}', '{}', '{}', '{}', '{}', '{}', '{}')", "insert into ledger.quarantine (provider, body, body_digest, headers, reason, detail) values ('x', 'x', 'x', '{}', 'x', 'x')"]) {
    await t.rejects(service.query(attempt), REFUSED, `service: ${attempt}`)
  }
})

test('a record opens the door for the bodies it lists, and for nothing else', async t => {
  const { ledger, key } = await filled(t)
  const db = ownerOf(t, ledger)
  const order = { customer_id: 'cust_1', reason: 'r', decided_by: 'd' }
  const go = async (events: RedactedEvent[], rows: RedactedRow[] = [], forge: (record: Appendable) => Appendable = record => record): Promise<string> => {
    const record = forge(erasureEvent(order, events, rows, SHARDS, new Date()))
    await db.transaction().execute(async trx => {
      await lockErasures(trx)
      await writeErasure(trx, record, events, rows)
    })
    return record.event_id
  }
  const event = { ...key, body: '{"a":1}' }
  const row = { quarantine_id: 1n, body: 'erased', detail: 'erased', discard_reason: null }
  const altered = (from: string, to: string) => (record: Appendable): Appendable => ({ ...record, body: record.body.replace(from, to) })
  const digest = createHash('sha256').update(event.body).digest('hex')
  const other = createHash('sha256').update('{"a":2}').digest('hex')

  await t.rejects(go([event], [], altered(digest, other)), REFUSED, 'another digest')
  await t.rejects(go([event], [], altered(JSON.stringify(key.subject), '"other"')), REFUSED, 'another subject')
  await t.rejects(go([event], [], record => ({ ...record, type: 'customer.updated' })), { code: '22023' }, 'another type of event')
  await t.rejects(go([event], [row], altered('"quarantine_id":"1"', '"quarantine_id":"2"')), REFUSED, 'another row')
  await t.rejects(go([event], [], altered('"erased":[', '"erased":[{},')), { code: '22023' }, 'a list of more')
  await t.rejects(go([{ ...event, event_id: 'unknown' }]), { code: '22023' }, 'an event that is not there')
  t.equal((await ledger.owner.query("select from ledger.events where type = 'ledger.customer.erased' or erased_by is not null")).rowCount, 0, 'nothing of them is kept')

  const recorded = await go([event], [row])
  const { rows: [stored] } = await ledger.owner.query('select body::text as body, body_bytes, erased_by, encode(body_digest, \'hex\') as body_digest from ledger.events where event_id = $1', [key.event_id])
  t.match(stored, { body: event.body, body_bytes: 7, erased_by: recorded, body_digest: createHash('sha256').update(JSON.stringify(awardData())).digest('hex') })
  const { rows: [kept] } = await ledger.owner.query('select convert_from(body, \'UTF8\') as body, detail, erased_by, encode(body_digest, \'hex\') as body_digest from ledger.quarantine')
  t.match(kept, { body: 'erased', detail: 'erased', erased_by: recorded, body_digest: createHash('sha256').update('not JSON, of "cust_1"').digest('hex') })

  for (const [attempt, why] of [
    ["update ledger.events set body = '{}', body_bytes = 2 where erased_by is not null", 'a redacted body stays, too'],
    ['update ledger.events set occurred_at = now() where erased_by is not null', 'with the record standing, another column'],
    ['update ledger.events set body_bytes = 1 where erased_by is not null', 'with the record standing, another size'],
    ['update ledger.events set erased_by = null where erased_by is not null', 'that it was redacted cannot be hidden'],
    ["update ledger.events set body = '{}', body_bytes = 2 where type = 'ledger.customer.erased'", 'the record itself']
  ] as const) await t.rejects(ledger.owner.query(attempt), REFUSED, why)
})

test('what a later record took out does not come back by an earlier one', async t => {
  const { ledger, key } = await filled(t)
  const db = ownerOf(t, ledger)
  const order = { customer_id: 'cust_1', reason: 'r', decided_by: 'd' }
  const go = async (body: string): Promise<string> => {
    const events = [{ ...key, body }]
    const rows = [{ quarantine_id: 1n, body, detail: 'erased', discard_reason: null }]
    const record = erasureEvent(order, events, rows, SHARDS, new Date())
    await db.transaction().execute(async trx => {
      await lockErasures(trx)
      await writeErasure(trx, record, events, rows)
    })
    return record.event_id
  }
  const first = await go('{"a":"Ada"}')
  const second = await go('{"a":null}')
  for (const [record, whose] of [[first, 'the earlier'], [second, 'the later']] as const) {
    await t.rejects(ledger.owner.query('update ledger.events set body = $1::text::json, body_bytes = octet_length($1::text), erased_by = $2 where event_id = $3', ['{"a":"Ada"}', record, key.event_id]), REFUSED, `an event, by ${whose}`)
    await t.rejects(ledger.owner.query('update ledger.quarantine set body = $1, erased_by = $2', [Buffer.from('{"a":"Ada"}'), record]), REFUSED, `a row, by ${whose}`)
  }
  t.match((await ledger.owner.query('select body::text as body, erased_by from ledger.events where event_id = $1', [key.event_id])).rows, [{ body: '{"a":null}', erased_by: second }])
  await go('{}')
})

test('a record that names itself opens nothing', async t => {
  const { ledger } = await filled(t)
  const db = ownerOf(t, ledger)
  await append(db, [erasureEvent({ customer_id: 'cust_1', reason: 'r', decided_by: 'd' }, [], [], SHARDS, new Date())])
  const { rows: [record] } = await ledger.owner.query<{ event_id: string, subject: string }>("select event_id, subject from ledger.events where type = 'ledger.customer.erased'")
  const body = { event_id: record?.event_id ?? '', subject: record?.subject ?? '', body: '{}' }
  const second = erasureEvent({ customer_id: 'cust_1', reason: 'r', decided_by: 'd' }, [body], [], SHARDS, new Date())
  await t.rejects(db.transaction().execute(async trx => { await writeErasure(trx, second, [body], []) }), REFUSED)
})

test('what is sent again brings nothing back', async t => {
  const { ledger } = await filled(t)
  const db = ownerOf(t, ledger)
  await erase(db, 'cust_1')
  t.match((await ledger.post(awardData())).json(), { status: 'duplicate' }, 'the same bytes')
  t.match((await ledger.post({ ...awardData(), send: 'again' })).json(), { status: 'duplicate' }, 'the same facts in other bytes')
  t.match((await ledger.post('not JSON, of "cust_1"')).json(), { status: 'quarantined', quarantine_id: '1' }, 'the same bytes in quarantine are the same row')
  await ledger.project()
  const { rows: [kept] } = await ledger.owner.query<{ body: string, detail: string, times_seen: string }>("select convert_from(body, 'UTF8') as body, detail, times_seen from ledger.quarantine")
  t.match(kept, { body: /^erased: \d+ bytes/, detail: /^erased/, times_seen: '2' })
  t.match((await ledger.get('/v1/customers/cust_1')).json(), { customer_id: 'cust_1', name: null, source_id: 'source-of-cust_1' }, 'still found by id')
  t.match((await ledger.get('/v1/customers/cust_1/balance')).json(), { balance: 10 })

  const contradiction = (await ledger.post(awardData({ points: 11 }))).json()
  t.match(contradiction, { status: 'quarantined', reason: 'conflict' }, 'a contradiction is kept whole')
  t.match(await erase(db, 'cust_1'), { erased: { events: 0, quarantined: 1 } }, 'and erased by the next run')
  const { body } = (await ledger.get(`/v1/quarantine/${contradiction.quarantine_id}`)).json()
  t.match(body, /"points":11/)
  t.notMatch(body, /Ada/)
})

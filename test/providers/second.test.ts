// The proof of the seam: a provider that src does not know, handed to the app in a list, gives balances over HTTP; and
// of two providers that send the very same ids nothing meets.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { verifyLog } from '../../src/audit/log.ts'
import type { Finding } from '../../src/audit/finding.ts'
import { redriveAllParked, redriveParked } from '../../src/engine/parking/redrive.ts'
import { runStep } from '../../src/engine/step.ts'
import { eraseCustomer } from '../../src/erasure/erase.ts'
import { quarantine } from '../../src/ingest/quarantine/quarantine.sql.ts'
import { redrive } from '../../src/ingest/quarantine/redrive.ts'
import { receiveDelivery } from '../../src/ingest/receive.ts'
import { append } from '../../src/log/append.sql.ts'
import { createAppender } from '../../src/log/appender.ts'
import { restore } from '../../src/log/restore.sql.ts'
import { databaseOf } from '../../src/postgres/database.ts'
import { projections } from '../../src/projections/index.ts'
import { createProviders, knownProviders, type Providers } from '../../src/providers/index.ts'
import { exportLog, measureLog } from '../../src/transfer/export/export.ts'
import { importEntries } from '../../src/transfer/import/import.ts'
import { storing } from '../../src/transfer/import/sink.ts'
import { openSource } from '../../src/transfer/import/source.ts'
import { noCounts } from '../../src/transfer/import/tally.ts'
import { ownerOf } from '../erasure/support.ts'
import { awardData, enveloped } from '../support/deliveries.ts'
import { openLedger, SECRET, type TestLedger } from '../support/ledger.ts'
import { tiny, tinyMovement } from './tiny/provider.ts'

const SHARDS = 4
const both = createProviders(knownProviders.first, tiny)
const TINY = { provider: 'tiny' }

async function open (t: Test, providers: Providers = both): Promise<TestLedger> {
  return await openLedger(t, { shards: SHARDS, providers })
}

/** The members of a balance that can differ. */
async function balanceOf (ledger: TestLedger, customer_id: string): Promise<{ balance: number, cards: string[] } | undefined> {
  const answer = await ledger.get(`/v1/customers/${encodeURIComponent(customer_id)}/balance`)
  if (answer.statusCode === 404) return undefined
  const { balance, cards } = answer.json<{ balance: number, cards: Array<{ card_id: string }> }>()
  return { balance, cards: cards.map(({ card_id }) => card_id) }
}

async function findings (ledger: TestLedger, providers: Providers): Promise<Finding[]> {
  const found: Finding[] = []
  await verifyLog(ledger.db, { found: finding => { found.push(finding) }, providers })
  return found
}

test('the signed webhook of a second provider gives balances over HTTP', async t => {
  const ledger = await open(t)
  const first = await ledger.post(tinyMovement(), TINY)
  t.match(first.json(), { status: 'accepted', event_id: 'tiny:m_1', subject: 'tiny:card:v_1' })
  t.equal((await ledger.post(tinyMovement(), TINY)).statusCode, 200, 'and a repeat is a duplicate')
  t.match((await ledger.post(tinyMovement({ id: 'm_2', type: 'spent', points: 4, balance: 6 }), TINY)).json(), { status: 'accepted' })
  await ledger.project()
  t.same(await balanceOf(ledger, 'tiny:cust_1'), { balance: 6, cards: ['tiny:v_1'] })
  t.match((await ledger.get('/v1/customers/tiny:cust_1')).json(), { customer_id: 'tiny:cust_1', email: 'ada@tiny.example' })
  t.match((await ledger.get('/v1/cards/tiny:v_1/statement')).json(), { items: [{ points: -4, balance: 6 }, { points: 10, balance: 10 }] })
  t.match((await ledger.get('/v1/cards/tiny:v_1/explain')).json(), { items: [{}, { observed_in: [{ event_id: 'tiny:m_1' }], remark: /Tiny does not send its rules/ }] })
  t.match((await ledger.get('/v1/events/tiny:m_1')).json(), { items: [{ provider: 'tiny', customer_id: 'tiny:cust_1' }] })
  t.ok((await ledger.get('/openapi.json')).json().paths['/webhooks/tiny'].post.requestBody, 'and is described')
  t.same(await findings(ledger, both), [], 'the log agrees with the bodies')
})

test('a second provider has its own signature, and its own secrets', async t => {
  const ledger = await open(t)
  const body = JSON.stringify(tinyMovement())
  const post = async (headers: Record<string, string>) => await ledger.app.inject({ method: 'POST', url: '/webhooks/tiny', headers: { 'content-type': 'application/json', ...headers }, payload: body })
  const bytes = Buffer.from(body)
  t.match((await post({})).json(), { status: 401, code: 'signature_missing', detail: /tiny-signature: the base64 HMAC/ })
  t.match((await post(knownProviders.first.sign(bytes, SECRET))).json(), { code: 'signature_missing' }, 'signed as the first one signs')
  t.match((await post(tiny.sign(bytes, 'another'))).json(), { status: 401, code: 'signature_invalid', detail: /of Tiny/ })
  t.equal((await post(tiny.sign(bytes, SECRET))).statusCode, 202)
})

test('two providers that send the very same ids never meet', async t => {
  const ledger = await open(t)
  // Event, card, customer and rule are called alike.
  t.match((await ledger.post(enveloped(awardData({ points: 7, balance: 7 }), { id: 'm_1' }))).json(), { status: 'accepted', event_id: 'm_1' })
  t.match((await ledger.post(tinyMovement({ points: 100, balance: 100 }), TINY)).json(), { status: 'accepted', event_id: 'tiny:m_1' })
  await ledger.project()
  t.same(await balanceOf(ledger, 'cust_1'), { balance: 7, cards: ['v_1'] })
  t.same(await balanceOf(ledger, 'tiny:cust_1'), { balance: 100, cards: ['tiny:v_1'] })
  t.match((await ledger.get('/v1/cards/v_1/statement')).json().items, { length: 1 })
  t.match((await ledger.get('/v1/cards/tiny:v_1/statement')).json().items, { length: 1 })
})

test('an id of the first provider that looks like one of the second is refused', async t => {
  const ledger = await open(t)
  await ledger.post(tinyMovement(), TINY)
  const posing = await ledger.post(enveloped(awardData({ customer: 'tiny:cust_1', card: 'tiny:v_1', trigger: 'evcus_2', points: 900, balance: 900 })))
  t.match(posing.json(), { status: 'quarantined', reason: 'unidentified', detail: /tiny:cust_1/ })
  // Only the card: nothing names the event by it, so it is stored, and no fact of it is counted.
  t.match((await ledger.post(enveloped(awardData({ customer: 'cust_2', card: 'tiny:v_1', points: 900, balance: 900 }), { id: 'ev_2' }))).json(), { status: 'accepted' })
  await ledger.project()
  t.same(await balanceOf(ledger, 'tiny:cust_1'), { balance: 10, cards: ['tiny:v_1'] })
  const { rows } = await ledger.owner.query("select distinct code, reason from projection.parked where event_id = 'ev_2'")
  t.match(rows, [{ code: 'event_unreadable', reason: /tiny:v_1 begins like those of another provider/ }])
})

test('events of a provider that this version does not have are parked, and go on with a version that has it', async t => {
  const ledger = await open(t)
  await ledger.post(tinyMovement(), TINY)
  await ledger.post(enveloped(awardData({ customer: 'cust_2', card: 'v_2' })))
  while (await runStep(ledger.steps, projections, { batch: 10 }) !== undefined);
  t.match(await balanceOf(ledger, 'cust_2'), { balance: 10 }, 'all else goes on')
  t.equal(await balanceOf(ledger, 'tiny:cust_1'), undefined)
  const { rows } = await ledger.owner.query("select distinct key, code, reason from projection.parked where projection = 'cards'")
  t.same(rows, [{ key: 'event:tiny:m_1/tiny:card:v_1', code: 'event_unreadable', reason: 'this version has no reader for events of the provider "tiny"; a version that has one will project them' }])
  t.match(await findings(ledger, knownProviders), [{ code: 'IDENTITY_MISMATCH', event_id: 'tiny:m_1', detail: /no reader for events of the provider "tiny"/ }])

  t.match(await redriveParked(ledger.db, projections, { projection: 'cards', key: 'event:tiny:m_1/tiny:card:v_1' }), { status: 'still_parked' })
  await redriveAllParked(ledger.db, projections, { providers: both })
  t.same(await balanceOf(ledger, 'tiny:cust_1'), { balance: 10, cards: ['tiny:v_1'] })
})

test('quarantine keeps who sent a delivery, and reads it again as theirs', async t => {
  const ledger = await open(t)
  t.match((await ledger.post(tinyMovement(), TINY)).json(), { status: 'accepted' })
  const contradicting = (await ledger.post(tinyMovement({ points: 11 }), TINY)).json<{ quarantine_id: string }>()
  t.match(contradicting, { status: 'quarantined', reason: 'conflict' })
  const shown = (await ledger.get(`/v1/quarantine/${contradicting.quarantine_id}`)).json()
  t.match(shown, { headers: { 'tiny-signature': /./ }, differences: { facts: [{ path: 'points', stored: '10', received: '11' }] } })

  // A version that could not read it yet, and then this one.
  const older = createProviders(knownProviders.first, { ...tiny, identify: () => ({ reason: 'unidentified', detail: 'not read yet' }) })
  const intake = { db: ledger.db, appender: ledger.appender, shards: SHARDS, providers: older }
  const unread = await receiveDelivery(Buffer.from(JSON.stringify(tinyMovement({ id: 'm_2', balance: 20 }))), {}, intake, older.named('tiny'))
  if (unread.status !== 'quarantined') throw new Error('it was read')
  const again = await ledger.app.inject({ method: 'POST', url: `/v1/quarantine/${unread.quarantine_id}/redrive`, headers: { host: 'localhost:3000' } })
  t.match(again.json(), { status: 'redriven', event: 'accepted', event_id: 'tiny:m_2' })
  await ledger.project()
  t.same(await balanceOf(ledger, 'tiny:cust_1'), { balance: 20, cards: ['tiny:v_1'] })

  const gone = await receiveDelivery(Buffer.from('{}'), {}, intake, older.named('tiny'))
  if (gone.status !== 'quarantined') throw new Error('it was read')
  t.match(await redrive(BigInt(gone.quarantine_id), 'me', { ...intake, providers: knownProviders }), { status: 'still_unusable', reason: 'unknown_provider', detail: /the provider "tiny"/ })
})

test('an export keeps who sent each event, and an import reads it as theirs', async t => {
  const source = await open(t)
  await source.post(tinyMovement(), TINY)
  await source.post(enveloped(awardData()))
  await source.project()
  const file = join(t.testdir({}), 'ledger.ndjson')
  let text = ''
  for await (const piece of exportLog(source.db, await measureLog(source.db), '2026-01-01T00:00:00.000Z')) text += piece.text
  writeFileSync(file, text)

  const target = await open(t)
  const db = databaseOf(target.owner)
  const intakeOf = (store: typeof append) => ({ db, shards: SHARDS, appender: createAppender(db, { queueLimit: 100, store }), providers: both })
  const counts = noCounts()
  await importEntries((await openSource(file, 10_000)).entries(), storing(intakeOf(append), intakeOf(restore)), { counts, remark: remark => { t.fail(remark.reason) }, progress () {} })
  t.match(counts, { new: 2, stored: 2, bad: 0 })
  await target.project()
  for (const customer of ['cust_1', 'tiny:cust_1']) t.same(await balanceOf(target, customer), await balanceOf(source, customer), customer)
  t.same(await findings(target, both), [])
})

test('a customer of the second provider is erased, and their namesake is not', async t => {
  const ledger = await open(t)
  await ledger.post(tinyMovement(), TINY)
  await ledger.post(tinyMovement({ id: 'm_2', points: 5, balance: 15 }), TINY)
  await ledger.post(enveloped(awardData()))
  await ledger.project()
  const before = (await ledger.get('/v1/customers/cust_1')).json()
  const owner = ownerOf(t, ledger)
  const erasure = await eraseCustomer(owner, { customer_id: 'tiny:cust_1', reason: 'on request', decided_by: 'a test' }, { projections, providers: both })
  t.match(erasure, { unknown: false, erased: { events: 2 } })
  const { rows } = await ledger.owner.query<{ provider: string, subject: string, body: string }>('select provider, subject, body::text from ledger.events order by event_id')
  t.same(rows.filter(({ body }) => body.includes('ada@tiny.example')), [])
  t.match(rows.filter(({ provider }) => provider === 'ledger'), [{ subject: 'customer:tiny:cust_1' }])
  await ledger.project()
  t.match((await ledger.get('/v1/customers/tiny:cust_1')).json(), { email: null })
  t.same(await balanceOf(ledger, 'tiny:cust_1'), { balance: 15, cards: ['tiny:v_1'] }, 'the points stay')
  const { as_of: _, ...after } = (await ledger.get('/v1/customers/cust_1')).json()
  t.match(after, { name: 'Ada' })
  t.match(before, { name: 'Ada' })
  t.same(await findings(ledger, both), [])
})

test('erasing a customer takes them out of the quarantine by the ids that their provider sends', async t => {
  const ledger = await open(t)
  await ledger.post(tinyMovement(), TINY)
  await ledger.project()
  const keep = async (provider: string, body: string): Promise<bigint> =>
    (await quarantine(ledger.db, { provider, body: Buffer.from(body), headers: {}, reason: 'not_json', detail: 'no JSON' })).quarantine_id
  const theirs = await keep('tiny', 'customer=cust_1&email=unheard@tiny.example')
  await keep('voucherify', 'customer=cust_1&email=other@example.com')
  await keep('voucherify', 'half a body {"id":"cust_1","email":"other@example.com"')
  await keep('gone', 'this says nothing about anybody')
  const owner = ownerOf(t, ledger)
  const erasure = await eraseCustomer(owner, { customer_id: 'tiny:cust_1', reason: 'on request', decided_by: 'a test' }, { projections, providers: both })
  t.match(erasure, { erased: { quarantined: 1 } })
  const { rows } = await ledger.owner.query<{ quarantine_id: bigint }>('select quarantine_id from ledger.quarantine where erased_by is not null')
  t.same(rows.map(({ quarantine_id }) => String(quarantine_id)), [String(theirs)], 'what others call alike stays, and what nobody can read does not stop it')
})

test('a list of providers in which ids could meet is refused', async t => {
  for (const name of ['voucherify', 'ledger', 'Tiny', 'tiny:', 'a b', '', '1st']) {
    t.throws(() => createProviders(knownProviders.first, { ...tiny, name }), { name: 'RangeError', message: /cannot name a provider/ }, name)
  }
})

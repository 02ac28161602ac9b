// A ledger written out and taken in elsewhere is the same ledger.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { exportLog, measureLog } from '../../../src/transfer/export/export.ts'
import { importEntries } from '../../../src/transfer/import/import.ts'
import { dryRunning, storing } from '../../../src/transfer/import/sink.ts'
import { openSource } from '../../../src/transfer/import/source.ts'
import { noCounts, type Counts, type Remark } from '../../../src/transfer/import/tally.ts'
import { storeDelivery } from '../../../src/ingest/store-delivery.ts'
import { simulate } from '../../../simulator/simulate.ts'
import { append } from '../../../src/log/append.sql.ts'
import { createAppender } from '../../../src/log/appender.ts'
import { databaseOf } from '../../../src/postgres/database.ts'
import { restore } from '../../../src/log/restore.sql.ts'
import { brokenShards } from '../../support/chain.ts'
import { run, start } from '../../support/cli.ts'
import { createDatabase } from '../../support/database.ts'
import { awardData, enveloped, orderData } from '../../support/deliveries.ts'
import { dumpProjections, openLedger, type TestLedger } from '../../support/ledger.ts'
import { waitUntil } from '../../support/wait.ts'

/** Projected rows; where they stand tells when they got there, too. */
async function projected ({ owner }: TestLedger): Promise<Record<string, string[]>> {
  const { checkpoints: _, ...tables } = await dumpProjections(owner)
  return tables
}

/** Every stored event without its place. */
async function events ({ owner }: TestLedger): Promise<unknown[]> {
  const { rows } = await owner.query<{ row: string }>("select (to_jsonb(e) - 'shard' - 'position' - 'chain' - 'body')::text || e.body::text as row from ledger.events e order by event_id, subject")
  return rows.map(({ row }) => row)
}

async function written (t: Test, ledger: TestLedger): Promise<string> {
  const file = join(t.testdir({}), 'ledger.ndjson')
  let text = ''
  for await (const piece of exportLog(ledger.db, await measureLog(ledger.db), '2026-01-01T00:00:00.000Z')) text += piece.text
  writeFileSync(file, text)
  return file
}

/** Takes a file in as the owner, as the command does, and projects it. */
async function take (ledger: TestLedger, file: string, shards: number, { dryRun = false } = {}): Promise<{ counts: Counts, remarks: Remark[] }> {
  const db = databaseOf(ledger.owner)
  const intakeOf = (store: typeof append) => ({ db, shards, appender: createAppender(db, { queueLimit: 1000, store }) })
  const tally = { counts: noCounts(), remarks: [] as Remark[] }
  const { entries, restores } = await openSource(file, 1_048_576)
  if (!restores) throw new Error('it is no export of a ledger')
  await importEntries(entries(), dryRun ? dryRunning({ db, shards }) : storing(intakeOf(append), intakeOf(restore)), { counts: tally.counts, remark: remark => { tally.remarks.push(remark) }, progress () {} })
  await ledger.project()
  return tally
}

async function openFilled (t: Test, seed: string, { count = 300, shards = 4 } = {}): Promise<TestLedger> {
  const ledger = await openLedger(t, { shards, queueLimit: 20_000 })
  const { deliveries } = simulate({ seed, customers: 12, events: count, chaos: 'high' })
  await Promise.all(deliveries.map(async ({ body }) => await storeDelivery(body, { db: ledger.db, appender: ledger.appender, shards })))
  await ledger.project()
  return ledger
}

test('given a history with high chaos, when it is exported and imported into an empty ledger of other shards, then all is the same but the positions', async t => {
  for (const [seed, shards] of [['first', 4], ['second', 7], ['third', 1]] as const) {
    await t.test(`seed ${seed}, ${shards} shards`, async t => {
      const source = await openFilled(t, seed)
      const file = await written(t, source)
      const target = await openLedger(t, { shards })
      const stored = (await events(source)).length
      t.match(await take(target, file, shards, { dryRun: true }), { counts: { new: stored, stored, bad: 0, conflict: 0 }, remarks: [] })
      t.equal((await events(target)).length, 0, 'a rehearsal writes nothing')
      t.match(await take(target, file, shards), { counts: { new: stored, stored, bad: 0, conflict: 0 }, remarks: [] })
      t.strictSame(await events(target), await events(source), 'events, with the time at which each was first stored')
      t.strictSame(await projected(target), await projected(source), 'and every projected row')
      t.strictSame(await brokenShards(target.owner), [])
      t.match(await take(target, file, shards), { counts: { new: 0, duplicate: stored, stored: 0, bad: 0, conflict: 0 } })
      t.strictSame(await projected(target), await projected(source), 'again it changes nothing')
    })
  }
})

test('into a ledger that has events: what both have stands as it was there, the rest is added', async t => {
  const source = await openFilled(t, 'a union', { count: 120 })
  const file = await written(t, source)
  const target = await openLedger(t, { shards: 4 })
  const own = enveloped(awardData({ customer: 'cust_own', card: 'v_own', points: 3, balance: 3 }), { id: 'ev_own' })
  await target.post(own)
  const common = simulate({ seed: 'a union', customers: 12, events: 120, chaos: 'high' }).deliveries.filter(({ kind }) => kind === 'event').slice(0, 20)
  for (const { body } of common) await target.post(body)
  const before = await events(target)
  const { counts } = await take(target, file, 4)
  t.equal(counts.stored, (await events(source)).length - (before.length - 1))
  t.equal(counts.conflict + counts.bad, 0)
  const after = new Set(await events(target))
  t.ok(before.every(event => after.has(event)), 'stored events never change')
  t.strictSame((await target.get('/v1/customers/cust_own/balance')).json().balance, 3)
})

test('bodies stay as they were received, byte for byte, and so do their digests', async t => {
  const source = await openLedger(t)
  const odd = '{ "id" : "whs_1",\n\t"project_id":"p","type":"x", "created_at":"2026-01-01T10:00:00Z",\r\n "data":{"n":123456789012345678901234567890.10,"a":1,"a":2,"s":"\\u00e9é\\ud83d\\ude00😀\u2028"},"event":{"id":"ev_odd","type":"never.heard.of","created_at":"2026-01-01T10:00:00.123456Z"}}'
  t.match((await source.post(odd)).json(), { status: 'accepted' })
  await source.post(awardData())
  const file = await written(t, source)
  const target = await openLedger(t)
  await take(target, file, 16)
  const { rows } = await target.owner.query("select body::text as body, body_digest from ledger.events where event_id = 'ev_odd'")
  t.equal(rows[0].body, odd)
  t.strictSame(await events(target), await events(source))
})

test('a file that was cut, added to or changed is refused, and one of a newer version', async t => {
  const source = await openLedger(t)
  for (const customer of ['cust_1', 'cust_2', 'cust_3']) await source.post(awardData({ customer, card: `v_${customer}`, trigger: `ev_${customer}` }))
  const file = await written(t, source)
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
  const swapped = [lines[0], lines[2], lines[1], ...lines.slice(3)]
  for (const [what, text, message] of [
    ['cut', lines.slice(0, -1).join('\n') + '\n', /ends before its end: 3 of 3 events/],
    ['cut in a line', lines.join('\n').slice(0, -200), /ends before its end/],
    ['a line less', lines.filter((_, index) => index !== 2).join('\n'), /is not as it was written/],
    ['swapped', swapped.join('\n'), /is not as it was written/],
    ['added to', [...lines, lines[1]].join('\n'), /:6: something stands behind the end/],
    ['another time', lines.join('\n').replace(/"recorded_at":"20\d\d/, '"recorded_at":"2019'), /is not as it was written/]
  ] as const) {
    writeFileSync(file, text)
    await t.rejects(take(await openLedger(t), file, 16), { code: 'file_unreadable', message }, what)
  }
  const { url, pool } = await createDatabase(t)
  t.match(await run(t, ['import', file], { DATABASE_URL: url }), { code: 1, stderr: /is not as it was written/ })
  t.equal((await pool.query('select from ledger.events')).rowCount, 0, 'refused before anything is written')
  writeFileSync(file, lines.join('\n').replace('loyalty-ledger/1', 'loyalty-ledger/2'))
  await t.rejects(openSource(file, 1000), { code: 'file_unreadable', message: /loyalty-ledger\/2, and this version reads loyalty-ledger\/1/ })
})

test('what a line says of its event is compared with the body, never trusted', async t => {
  const source = await openLedger(t)
  await source.post(enveloped(awardData()))
  const file = await written(t, source)
  const text = readFileSync(file, 'utf8')
  for (const [from, to, reason] of [
    ['"event_id":"ev_1"', '"event_id":"ev_2"', /the body is event ev_1 about award:ern_1:v_1, and the line says ev_2/],
    ['\\"points\\":10', '\\"points\\":oh', /not_json/],
    ['"recorded_at":"', '"recorded_at":"then ', /not an event as an export writes it/]
  ] as const) {
    t.ok(text.includes(from))
    writeFileSync(file, text.replace(from, to))
    const tally = { counts: noCounts(), remarks: [] as Remark[] }
    const intake = { db: source.db, shards: 16, appender: source.appender }
    await t.rejects(importEntries((await openSource(file, 1000)).entries(), storing(intake), { counts: tally.counts, remark: remark => { tally.remarks.push(remark) }, progress () {} }), { code: 'file_unreadable' })
    const { counts: { bad }, remarks } = await readBad(file)
    t.equal(bad, 1)
    t.match(remarks, [{ line: 2, what: 'bad', reason }])
  }
})

async function readBad (file: string): Promise<{ counts: Counts, remarks: Remark[] }> {
  const { checkEntries } = await import('../../../src/transfer/import/import.ts')
  const tally = { counts: noCounts(), remarks: [] as Remark[] }
  await checkEntries((await openSource(file, 1000)).entries(), { counts: tally.counts, remark: remark => { tally.remarks.push(remark) }, progress () {} }).catch(() => {})
  return tally
}

test('what is appended while an export runs is not in it; a log with a hole is not exported', async t => {
  const ledger = await openLedger(t, { shards: 2 })
  await ledger.post(awardData())
  const extent = await measureLog(ledger.db)
  let text = ''
  for await (const piece of exportLog(ledger.db, extent, 'now')) {
    await ledger.post(awardData({ trigger: `ev_${text.length}` }))
    text += piece.text
  }
  t.equal(text.split('\n').length, 1 + 1 + 1 + 1, 'one header, one event, one trailer')
  t.match(JSON.parse(text.split('\n')[2] as string), { end: { events: 1, sha256: /^[0-9a-f]{64}$/ } })
  await ledger.owner.query('update ledger.shards set head = head + 1')
  await t.rejects(async () => { for await (const { text: piece } of exportLog(ledger.db, await measureLog(ledger.db), 'now')) text += piece }, { code: 'log_gap', message: /is missing from the log/ })
})

test('the service cannot say when an event was stored, and the command says who can', async t => {
  const source = await openLedger(t)
  await source.post(orderData())
  const file = await written(t, source)
  const target = await openLedger(t)
  await t.rejects(target.db.transaction().execute(async trx => await restore(trx, [])), { code: '42501' })
  await target.owner.query("do $$ begin create role ledger_test_app login password 'app'; exception when duplicate_object then null; end $$; grant ledger_service to ledger_test_app")
  const url = new URL(target.url)
  url.username = 'ledger_test_app'
  url.password = 'app'
  t.match(await run(t, ['import', file], { DATABASE_URL: url.href }), { code: 1, stderr: new RegExp(`this login may not keep that: let DATABASE_URL log in as ${new URL(target.url).username}, who owns the ledger\\.\n$`) })
  t.equal((await target.owner.query('select from ledger.events')).rowCount, 0)
  t.match(await run(t, ['import', '--dry-run', file], { DATABASE_URL: url.href }), { code: 0, stdout: /1 event\(s\) would be stored/ })
})

test('the commands: a file whole or not at all, standard output, and an import that was killed and run again', async t => {
  const source = await openFilled(t, 'killed', { count: 1500 })
  const stored = (await events(source)).length
  const folder = t.testdir({ 'old.ndjson': 'what stood there' })
  const file = join(folder, 'old.ndjson')
  t.match(await run(t, ['export', file], { DATABASE_URL: source.url }), { code: 0, stdout: new RegExp(`Exported ${stored} event\\(s\\) of 4 shards to .*Quarantine, API keys and projections are not in it`) })
  const out = await run(t, ['export'], { DATABASE_URL: source.url })
  const withoutTime = (text: string): unknown[] => text.split('\n').slice(1, -2).map(line => JSON.parse(line).exported)
  t.strictSame(withoutTime(out.stdout), withoutTime(readFileSync(file, 'utf8')))
  t.match(out.stderr, /Exported/)
  t.match(await run(t, ['export', join(folder, 'missing', 'x')], { DATABASE_URL: source.url }), { code: 1, stderr: /cannot be written: ENOENT/ })
  t.match(await run(t, ['export', '/dev/null'], { DATABASE_URL: source.url }), { code: 1, stderr: /\/dev\/null is no file/ })
  await source.owner.query('update ledger.shards set head = head + 1 where shard = 3')
  t.match(await run(t, ['export', file], { DATABASE_URL: source.url }), { code: 1, stderr: /event 3:\d+ is missing/ })
  t.strictSame(withoutTime(out.stdout), withoutTime(readFileSync(file, 'utf8')), 'the old one stands')

  const target = await openLedger(t, { shards: 5 })
  const { process: importing, finished } = start(t, ['import', file], { DATABASE_URL: target.url })
  await waitUntil(async () => (await target.owner.query('select from ledger.events')).rowCount, { what: 'the first events', timeout_ms: 60_000 })
  importing.kill('SIGKILL')
  await finished
  const half = (await events(target)).length
  t.ok(half > 0 && half < stored, `killed at ${half} of ${stored}`)
  t.match(await run(t, ['import', file], { DATABASE_URL: target.url }), { code: 0 })
  t.strictSame(await events(target), await events(source))
  t.strictSame(await projected(target), await projected(source))
})

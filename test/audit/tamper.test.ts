// What an owner of the database can do to the log with its guard off, and what the two verifiers say then: the command,
// and the query of docs/verify.sql. They must name the same codes at the same places.
import { test, type Test } from 'tap'
import { shardOf } from '../../src/log/shards.sql.ts'
import { audit, awardsOf, anchorNow, rechain, setHead, store, tamper } from '../support/audit.ts'
import { seeds } from '../support/deliveries.ts'
import { openLedger } from '../support/ledger.ts'

const SHARDS = 16
const CUSTOMER = 'cust_audited'
const SHARD = shardOf(CUSTOMER, SHARDS)
/** How many events the audited shard has. */
const HEAD = 8

/** The real payloads, and a shard of eight awards; with an anchor of it. */
async function open (t: Test) {
  const ledger = await openLedger(t, { shards: SHARDS })
  await store(ledger, [seeds.award, seeds.order, ...awardsOf('cust_other', 2)], SHARDS)
  for (const award of awardsOf(CUSTOMER, HEAD)) await store(ledger, [award], SHARDS)
  return { ...ledger, anchor: await anchorNow(ledger) }
}

const row = (position: number): string => `shard = ${SHARD} and position = ${position}`
const at = (code: string, position: number): string => `${code} ${SHARD}:${position}`

/** Statements, and what is found without an anchor and with one. */
type Case = [what: string, statements: string[], found: string[], against?: string[]]

const cases: Case[] = [
  ['one byte of a body', [`update ledger.events set body = replace(body::text, '"points":10', '"points":90')::json where ${row(3)}`],
    [at('DIGEST_MISMATCH', 3), at('IDENTITY_MISMATCH', 3)]],
  ['a body and its digest', [`update ledger.events set body = replace(body::text, 'Ada', 'Eve')::json where ${row(3)}`, `update ledger.events set body_digest = sha256(convert_to(body::text, 'UTF8')) where ${row(3)}`],
    [at('CHAIN_MISMATCH', 3)]],
  ['a body grows by a space', [`update ledger.events set body = (body::text || ' ')::json where ${row(3)}`],
    [at('DIGEST_MISMATCH', 3), at('SIZE_MISMATCH', 3)]],
  ['a row in the middle is deleted', [`delete from ledger.events where ${row(3)}`], [at('GAP', 3)]],
  ['a run in the middle is deleted', [`delete from ledger.events where shard = ${SHARD} and position between 3 and 5`], [at('GAP', 3)]],
  ['two runs are deleted', [`delete from ledger.events where shard = ${SHARD} and position in (1, 4, 5)`], [at('GAP', 1), at('GAP', 4)]],
  ['a deleted row, with the rest moved up', [`delete from ledger.events where ${row(6)}`, `update ledger.events set position = position - 1 where shard = ${SHARD} and position > 6`, setHead(SHARD)],
    [at('CHAIN_MISMATCH', 6), at('CHAIN_MISMATCH', 7)],
    [at('CHAIN_MISMATCH', 6), at('CHAIN_MISMATCH', 7), at('TRUNCATED', 8)]],
  ['the newest rows are deleted', [`delete from ledger.events where shard = ${SHARD} and position > 6`], [at('TRUNCATED', 7)]],
  ['all rows of a shard are deleted', [`delete from ledger.events where shard = ${SHARD}`], [at('TRUNCATED', 1)]],
  ['the newest rows are deleted, with the head set back', [`delete from ledger.events where shard = ${SHARD} and position > 6`, setHead(SHARD)],
    [], [at('TRUNCATED', 7)]],
  ['two rows change places', [`update ledger.events set position = 1000 where ${row(3)}`, `update ledger.events set position = 3 where ${row(4)}`, `update ledger.events set position = 4 where ${row(1000)}`],
    [at('CHAIN_MISMATCH', 3), at('CHAIN_MISMATCH', 4), at('CHAIN_MISMATCH', 5)]],
  ['two bodies change places', [`update ledger.events e set body = o.body, body_bytes = o.body_bytes from ledger.events o where e.shard = ${SHARD} and o.shard = ${SHARD} and (e.position, o.position) in ((3, 4), (4, 3))`],
    [at('DIGEST_MISMATCH', 3), at('DIGEST_MISMATCH', 4), at('IDENTITY_MISMATCH', 3), at('IDENTITY_MISMATCH', 4)]],
  ['a chain value', [`update ledger.events set chain = sha256(chain) where ${row(3)}`], [at('CHAIN_MISMATCH', 3), at('CHAIN_MISMATCH', 4)]],
  ['a suffix is rewritten, chain and head with it', [`update ledger.events set body = replace(body::text, 'Ada', 'Eve')::json where ${row(5)}`, `update ledger.events set body_digest = sha256(convert_to(body::text, 'UTF8')) where ${row(5)}`, ...rechain(SHARD, 5)],
    [], [at('REWRITTEN', HEAD)]],
  ['the head is set forward', [`update ledger.shards set head = head + 2 where shard = ${SHARD}`], [at('TRUNCATED', HEAD + 1)]],
  ['the head is set back', [`update ledger.shards s set head = 6, chain = (select chain from ledger.events where ${row(6)}) where shard = ${SHARD}`], [at('HEAD_MISMATCH', 7)]],
  ['the chain value of a head', [`update ledger.shards set chain = sha256(chain) where shard = ${SHARD}`], [at('HEAD_MISMATCH', HEAD)]],
  ['the chain value of an empty head', ['update ledger.shards set chain = sha256(chain) where shard = 1'], ['HEAD_MISMATCH 1:0']],
  ['a row before the first', ['alter domain ledger.log_position drop constraint log_position_range', `update ledger.events set position = 0 where ${row(1)}`],
    [at('GAP', 1), at('HEAD_MISMATCH', 0)]],
  ['unique indexes are dropped', ['alter table ledger.events drop constraint events_pkey'], ['UNGUARDED ']],
  // What is erased without an event that says so.
  ['a body is marked as erased', [`update ledger.events set erased_by = 'ev_erasure', body = replace(body::text, 'Ada', '***')::json where ${row(3)}`], [at('ERASURE_UNVOUCHED', 3)]]
]

// The columns that the chain does not cover. What the query cannot know is said in its head.
const unchained: Array<[column: string, value: string]> = [
  ['type', "'customer.order.paid'"], ['customer_id', "'cust_1'"], ['customer_id', 'null'], ['occurred_at', "occurred_at + interval '1 millisecond'"], ['occurred_at', 'null'],
  ['occurred_at', "'infinity'"], ['test', 'true'], ['send_out_id', "'whs_2'"], ['sender_kind', "'distribution'"], ['sender_id', 'null'], ['group_id', "'v-2'"], ['project_id', "'proj_2'"],
  ['channel', "'CLIENT'"], ['channel', 'null']
]
for (const [column, value] of unchained) {
  cases.push([`column ${column} becomes ${value}`, [`update ledger.events set ${column} = ${value} where ${row(3)}`], [at('IDENTITY_MISMATCH', 3)]])
}
cases.push(['column body_bytes', [`update ledger.events set body_bytes = 7 where ${row(3)}`], [at('SIZE_MISMATCH', 3)]])
cases.push(['column subject', [`update ledger.events set subject = 'other' where ${row(3)}`], [at('CHAIN_MISMATCH', 3), at('IDENTITY_MISMATCH', 3)]])
cases.push(['column event_id', [`update ledger.events set event_id = 'other' where ${row(3)}`], [at('CHAIN_MISMATCH', 3), at('IDENTITY_MISMATCH', 3)]])
cases.push(['column body_digest', [`update ledger.events set body_digest = sha256('') where ${row(3)}`], [at('CHAIN_MISMATCH', 3), at('DIGEST_MISMATCH', 3)]])

/** Only rules of the provider tell that the facts, or the key, are not those of the body. */
const beyondSql = new Set(['one byte of a body', 'column subject'])

test('a log that nobody touched is clean for both, and extends its anchor', async t => {
  const ledger = await open(t)
  const plain = await audit(ledger)
  t.same({ command: plain.command, sql: plain.sql }, { command: [], sql: [] })
  t.same(plain.counts, { events: 12, shards: SHARDS, erased: 0, unread: 0 })
  t.equal(plain.summary, '12 events in 16 shards, 0 erased; 0 differences; compared with no anchor')
  await store(ledger, awardsOf('cust_later', 3), SHARDS)
  const extended = await audit(ledger, ledger.anchor)
  t.same({ command: extended.command, sql: extended.sql }, { command: [], sql: [] }, 'also after it went on')
  t.match(extended.summary, /^15 events.*; compared with the anchor of 2026-01-02T00:00:00.000Z$/)
})

test('each tampering is named, at its place, by both', async t => {
  const ledger = await open(t)
  const client = await ledger.owner.connect()
  t.teardown(() => { client.release(true) })
  const before = 'create schema untouched; create table untouched.events as select * from ledger.events; create table untouched.shards as select * from ledger.shards'
  await client.query(before)
  for (const [what, statements, found, against = found] of cases) {
    await tamper(ledger.owner, ...statements)
    const expected = [...found].sort()
    const alone = await audit(ledger)
    t.same(alone.command, expected, `${what}: the command`)
    t.same(alone.sql, beyondSql.has(what) ? expected.filter(one => !one.startsWith('IDENTITY')) : expected, `${what}: the query`)
    const compared = await audit(ledger, ledger.anchor)
    t.same(compared.command, [...against].sort(), `${what}: the command against an anchor`)
    t.same(compared.sql.filter(one => !one.startsWith('IDENTITY')), [...against].sort().filter(one => !one.startsWith('IDENTITY')), `${what}: the query against an anchor`)
    // A clone of the database for each would cost more than all the rest.
    await tamper(ledger.owner, 'delete from ledger.events', 'insert into ledger.events select * from untouched.events',
      'update ledger.shards s set head = u.head, chain = u.chain from untouched.shards u where u.shard = s.shard')
    await mend(ledger.owner, what)
  }
  t.same((await audit(ledger, ledger.anchor)).command, [], 'and put back, it is clean')
})

async function mend (owner: Parameters<typeof tamper>[0], what: string): Promise<void> {
  if (what === 'a row before the first') await owner.query('alter domain ledger.log_position add constraint log_position_range check (value > 0)')
  if (what === 'unique indexes are dropped') await owner.query('alter table ledger.events add constraint events_pkey primary key (shard, position)')
}

test('what fact digests say is seen only by rules of the provider', async t => {
  const ledger = await open(t)
  await tamper(ledger.owner, `update ledger.events set fact_digest = sha256('') where ${row(3)}`)
  const { command, sql, findings } = await audit(ledger)
  t.same(command, [at('IDENTITY_MISMATCH', 3)])
  t.same(sql, [])
  t.match(findings, [{ event_id: `ev_${CUSTOMER}_2`, subject: `award:ern_1:v_${CUSTOMER}`, detail: /fact_digest is "e3b0c442.*", should be "/ }])
})

test('findings say what and where, for people', async t => {
  const ledger = await open(t)
  await tamper(ledger.owner, `delete from ledger.events where shard = ${SHARD} and position in (2, 3, 4, 7, 8)`, `update ledger.events set customer_id = null where ${row(6)}`)
  const { findings } = await audit(ledger, ledger.anchor)
  t.match(findings.map(({ position, detail }) => `${position}: ${detail}`), [
    '2: positions 2 to 4 are missing; the chain cannot be checked across the gap',
    /^6: the columns contradict the body as this version reads it: customer_id is null, should be "cust_audited"$/,
    /^7: positions 7 to 8 are missing at the end: the head says 8, the anchor of 2026-01-02T00:00:00.000Z signed 8$/
  ])
})

test('shards that are lost, or never were', async t => {
  const ledger = await open(t)
  const { owner, anchor } = ledger
  // The number of shards decides where customers belong, so that each customer in a wrong place shows, too.
  await tamper(owner, 'set local session_replication_role = replica', `delete from ledger.shards where shard = ${SHARD}`)
  const headless = await audit(ledger, anchor)
  t.ok(headless.command.includes(`HEAD_MISMATCH ${SHARD}`) && headless.sql.includes(`HEAD_MISMATCH ${SHARD}`))
  await tamper(owner, `delete from ledger.events where shard = ${SHARD}`)
  const lost = await audit(ledger, anchor)
  for (const code of [`HEAD_MISMATCH ${SHARD}`, at('TRUNCATED', 1)]) t.ok(lost.command.includes(code) && lost.sql.includes(code), code)
  t.notOk((await audit(ledger)).command.some(one => /^(TRUNCATED|HEAD)/.test(one)), 'which only an anchor tells')
})

import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import pg from 'pg'
import { test } from 'tap'
import type { Instant } from '../../src/ledger/instant.ts'
import { append, arraysOf, type Appendable } from '../../src/log/append.sql.ts'
import { AppendRefused, createAppender } from '../../src/log/appender.ts'
import { closePool, databaseOf, openPool } from '../../src/postgres/database.ts'
import { restore } from '../../src/log/restore.sql.ts'
import { shardOf } from '../../src/log/shards.sql.ts'
import { openLedger } from '../support/ledger.ts'
import { waitUntil } from '../support/wait.ts'

const sha256 = (bytes: string | Buffer): string => createHash('sha256').update(bytes).digest('hex')

function event (id: string, shard = 0, options: Partial<Appendable> = {}): Appendable {
  const body = options.body ?? JSON.stringify({ id })
  return {
    shard,
    event_id: id,
    subject: '-',
    provider: 'voucherify',
    type: 'test',
    customer_id: null,
    occurred_at: null,
    test: false,
    send_out_id: null,
    sender_kind: null,
    sender_id: null,
    group_id: null,
    project_id: null,
    channel: null,
    fact_digest: sha256('facts'),
    body,
    ...options
  }
}

/** No event, as ledger.append takes it. */
const EMPTY = Array(16).fill("'{}'").join()
const places = (count: number): string => Array.from({ length: count }, (_, index) => `$${index + 1}`).join()

/** The chain by its definition, in a second implementation. */
function chainAfter (before: Uint8Array, row: { shard: number, position: bigint, event_id: string, subject: string, body_digest: Buffer }): Uint8Array {
  const shard = Buffer.alloc(2)
  shard.writeInt16BE(row.shard)
  const position = Buffer.alloc(8)
  position.writeBigInt64BE(row.position)
  const hash = createHash('sha256').update(before)
  for (const part of [shard, position, Buffer.from(row.event_id), Buffer.from(row.subject), row.body_digest]) {
    const length = Buffer.alloc(4)
    length.writeInt32BE(part.length)
    hash.update(length).update(part)
  }
  return hash.digest()
}

test('positions are gapless and the chain recomputes, however many append at once', async t => {
  const ledger = await openLedger(t, { shards: 3 })
  const accepted = (await Promise.all(Array.from({ length: 8 }, async (_, writer) => {
    let count = 0
    for (let round = 0; round < 12; round++) {
      const batch = Array.from({ length: 1 + (writer * 7 + round) % 9 }, (_, index) => {
        const id = `e${(writer % 4) * 1000 + round * 10 + index}`
        return event(id, shardOf(id, 3))
      })
      const answers = await append(ledger.db, batch)
      count += answers.filter(answer => answer.outcome === 'accepted').length
    }
    return count
  }))).reduce((a, b) => a + b)

  const rows = await ledger.db.selectFrom('ledger.events').selectAll().orderBy('shard').orderBy('position').execute()
  t.equal(rows.length, accepted, 'each accepted answer is a row')
  const heads = await ledger.db.selectFrom('ledger.shards').selectAll().orderBy('shard').execute()
  for (const head of heads) {
    const own = rows.filter(row => row.shard === head.shard)
    t.same(own.map(row => row.position), own.map((_, index) => BigInt(index + 1)), 'positions 1 … head')
    t.equal(head.head, BigInt(own.length))
    const chain = own.reduce<Uint8Array>((before, row) => {
      const after = chainAfter(before, row)
      t.same(row.chain, after, `chain at ${row.shard}:${row.position}`)
      return after
    }, Buffer.alloc(32))
    t.same(head.chain, chain)
    t.ok(own.every(row => sha256(row.body) === row.body_digest.toString('hex')), 'digests are over the stored text')
  }
})

test('one call answers for each input: accepted, duplicate, conflict', async t => {
  const { db } = await openLedger(t)
  const other = { fact_digest: sha256('other facts') }
  await append(db, [event('a', 5)])
  t.same(await append(db, [event('b', 2), event('a', 5), event('b', 2), event('b', 2, other), event('a', 5, other), event('c', 2)]), [
    { outcome: 'accepted', shard: 2, position: 1n },
    { outcome: 'duplicate', shard: 5, position: 1n },
    { outcome: 'duplicate', shard: 2, position: 1n },
    { outcome: 'conflict', shard: 2, position: 1n },
    { outcome: 'conflict', shard: 5, position: 1n },
    { outcome: 'accepted', shard: 2, position: 2n }
  ])
  t.same(await append(db, [event('a', 7)]), [{ outcome: 'duplicate', shard: 5, position: 1n }], 'also where the same key is sent to another shard')
  t.same(await append(db, [event('a', 7, { subject: 'another' })]), [{ outcome: 'accepted', shard: 7, position: 1n }], 'another subject is another fact')
})

test('arrays of several lengths and events of no shard are refused whole', async t => {
  const { db, owner } = await openLedger(t, { shards: 2 })
  await t.rejects(append(db, [event('a', 0), event('b', 7)]), { code: '22023', message: /shard that does not exist/ })
  for (let index = 0; index < 16; index++) {
    const arrays = arraysOf([event('a'), event('b')])
    arrays[index] = arraysOf([event('a')])[index] as Buffer
    await t.rejects(owner.query(`select ledger.append(${places(16)})`, arrays), { code: '22023', message: /not of one length/ }, `array ${index + 1}`)
    await t.rejects(owner.query(`select ledger.append(${places(16)})`, arrays.with(index, null as never)), { code: '22023', message: /not of one length/ }, `no array ${index + 1}`)
  }
  await t.rejects(append(db, [event('')]), { code: '23514' })
  t.equal((await owner.query('select from ledger.events')).rowCount, 0)
})

test('one key raced for through two shards is stored once', async t => {
  const { db } = await openLedger(t)
  const appender = createAppender(db, { queueLimit: 1000 })
  const answers = await Promise.all(Array.from({ length: 60 }, (_, index) => appender.append(event(`k${index % 10}`, index % 2 === 0 ? 3 : 4))))
  t.equal(answers.filter(answer => answer.outcome === 'accepted').length, 10)
  t.equal(answers.filter(answer => answer.outcome === 'duplicate').length, 50)
  const { rows: [row] } = await sql<{ holes: string }>`select sum(head) - (select count(*) from ledger.events) as holes from ledger.shards`.execute(db)
  t.equal(Number(row?.holes), 0)
})

test('nothing waits for, and nothing is missed because of, a writing transaction held open elsewhere', async t => {
  const ledger = await openLedger(t, { shards: 1 })
  const elsewhere = await ledger.owner.connect()
  await elsewhere.query('begin')
  await elsewhere.query('create table held_open (a int)')
  await elsewhere.query("insert into ledger.quarantine (provider, body, headers, reason, detail) values ('p', 'x', '{}', 'r', 'd')")
  await elsewhere.query('select pg_current_xact_id()')
  try {
    const [first] = await append(ledger.db, [event('a')])
    t.equal(first?.position, 1n)
    t.equal(await ledger.project(), 1, 'and the projection sees it while the other is still open')
    await append(ledger.db, [event('b')])
    t.equal(await ledger.project(), 1)
  } finally {
    await elsewhere.query('rollback')
    elsewhere.release()
  }
})

test('positions become visible in order: who holds the shard is waited for, never overtaken', async t => {
  const ledger = await openLedger(t, { shards: 1 })
  const slow = new pg.Client({ connectionString: ledger.url })
  await slow.connect()
  await slow.query('begin')
  await slow.query(`select * from ledger.append(${places(16)})`, arraysOf([event('slow')]))
  const second = append(ledger.db, [event('fast')])
  await waitUntil(async () => (await ledger.owner.query("select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'")).rowCount === 1, { what: 'the second append to wait' })
  t.equal(await ledger.project(), 0, 'nothing is visible before the first commits')
  await slow.query('commit')
  await slow.end()
  t.equal((await second)[0]?.position, 2n)
  t.equal(await ledger.project(), 2, 'both are seen, in order')
})

test('stored events never change: by privilege for the service, by trigger for everyone', async t => {
  const ledger = await openLedger(t)
  await append(ledger.db, [event('a')])
  const service = openPool({ url: ledger.url, role: 'ledger_service', poolSize: 1, name: 'test' })
  t.teardown(() => service.end())
  const attempts = [
    "update ledger.events set type = 'x'", 'delete from ledger.events', 'truncate ledger.events',
    'update ledger.shards set head = 0', 'delete from ledger.quarantine', "update ledger.quarantine set body = 'x'",
    "insert into ledger.events select 'b', subject, provider, shard, 2, type, customer_id, occurred_at, recorded_at, test, send_out_id, sender_kind, sender_id, group_id, project_id, channel, body, body_bytes, body_digest, fact_digest, chain from ledger.events",
    'alter table ledger.events disable trigger all', 'drop table ledger.events',
    `select ledger.restore(${EMPTY}, '{}')`, `select ledger.store_events(${EMPTY}, null)`
  ]
  for (const attempt of attempts) await t.rejects(service.query(attempt), { code: '42501' }, `service: ${attempt}`)
  for (const attempt of attempts.slice(0, 3)) {
    await t.rejects(ledger.owner.query(attempt), { code: '42501' }, `owner: ${attempt}`)
    const client = await ledger.owner.connect()
    await client.query('set session_replication_role = replica')
    await t.rejects(client.query(attempt), { code: '42501' }, `owner in replica mode: ${attempt}`)
    client.release(true)
  }
  t.equal((await ledger.owner.query('select type from ledger.events')).rows[0].type, 'test')
})

test('the append never scans the log, empty or full, never analysed', async t => {
  const ledger = await openLedger(t)
  await ledger.owner.query('alter table ledger.events set (autovacuum_enabled = false)')
  const scans = async (): Promise<number> => {
    await ledger.owner.query('select pg_stat_force_next_flush()')
    const { rows: [row] } = await ledger.owner.query("select coalesce(seq_scan, 0)::int as scans from pg_stat_user_tables where relid = 'ledger.events'::regclass")
    return row.scans
  }
  const flush = async (): Promise<void> => { await sql`select pg_stat_force_next_flush()`.execute(ledger.db) }
  const before = await scans()
  for (let round = 0; round < 12; round++) {
    await append(ledger.db, Array.from({ length: 256 }, (_, index) => event(`r${round}-${index}`, index % 16)))
    await append(ledger.db, [event(`r${round}-0`, 0), event(`single-${round}`, 1)])
  }
  for (let connection = 0; connection < 10; connection++) await flush()
  t.equal(await scans(), before)
  t.equal((await ledger.owner.query('select count(*)::int as n from ledger.events')).rows[0].n, 12 * 257)
})

test('a restored event keeps its time, an appended one never does; the rest is one code', async t => {
  const { owner } = await openLedger(t, { shards: 2 })
  const db = databaseOf(owner)
  const recorded_at = '2020-02-29T12:00:00.123456Z' as Instant
  t.same(await restore(db, [event('a', 0, { recorded_at }), event('b', 1, { recorded_at }), event('a', 0, { recorded_at })]), [
    { outcome: 'accepted', shard: 0, position: '1' }, { outcome: 'accepted', shard: 1, position: '1' }, { outcome: 'duplicate', shard: 0, position: '1' }
  ])
  await append(db, [event('c', 0, { recorded_at }), event('a', 0, { recorded_at: '1999-01-01T00:00:00.000000Z' as Instant })])
  t.same((await owner.query("select event_id, position, recorded_at = '2020-02-29 12:00:00.123456Z' as kept from ledger.events order by event_id")).rows, [
    { event_id: 'a', position: '1', kept: true }, { event_id: 'b', position: '1', kept: true }, { event_id: 'c', position: '2', kept: false }
  ])
  await t.rejects(owner.query(`select ledger.restore(${EMPTY}, null)`), { code: '22004' })
  await t.rejects(restore(db, [event('d', 0, { recorded_at }), event('e', 0)]), { code: '22004' }, 'one without its time')
  await t.rejects(owner.query(`select ledger.restore(${EMPTY}, '{2020-01-01}')`), { code: '22023', message: /not of one length/ })
})

test('every column comes to the database as it is here', async t => {
  const { db } = await openLedger(t)
  const text = 'quotes " and \\, a comma, {braces}, null, \u001e\u001f, äöü€😀'
  const full = event('full', 3, {
    provider: 'other_one-2',
    subject: text,
    type: text,
    customer_id: text,
    occurred_at: '2026-02-28T23:59:59.999999Z' as Instant,
    test: true,
    send_out_id: text,
    sender_kind: 'NULL',
    sender_id: '',
    group_id: text,
    project_id: text,
    channel: text,
    body: JSON.stringify({ text })
  })
  const none = event('none', 3)
  await append(db, [full, none])
  const rows = await db.selectFrom('ledger.events').selectAll().orderBy('position').execute()
  t.match(rows.map(row => ({ ...row, fact_digest: row.fact_digest.toString('hex') })), [full, none])
})

test('the append refuses a transaction whose snapshot could be older than the lock on its shard', async t => {
  const { db, owner } = await openLedger(t)
  for (const level of ['repeatable read', 'serializable'] as const) {
    await t.rejects(db.transaction().setIsolationLevel(level).execute(async trx => await append(trx, [event('a')])), {
      code: '25000', message: new RegExp(`READ COMMITTED transactions only; this one is ${level.toUpperCase()}`), hint: /snapshot/
    })
  }
  t.equal((await owner.query('select from ledger.events')).rowCount, 0)
  t.match(await db.transaction().execute(async trx => await append(trx, [event('a')])), [{ outcome: 'accepted' }])
})

test('an event that PostgreSQL cannot store is refused alone', async t => {
  const { db } = await openLedger(t)
  const appender = createAppender(db, { queueLimit: 1000 })
  const bad = event('bad', 1, { body: '{"not": json}' })
  const settled = await Promise.allSettled([event('a', 1), bad, event('b', 1), event('c', 3)].map(async item => await appender.append(item)))
  t.same(settled.map(({ status }) => status), ['fulfilled', 'rejected', 'fulfilled', 'fulfilled'])
  t.match((settled[1] as PromiseRejectedResult).reason, { name: 'AppendRefused', code: 'unstorable' })
})

test('a full queue refuses, a closing appender finishes what it took', async t => {
  const { db } = await openLedger(t)
  const appender = createAppender(db, { queueLimit: 3 })
  const taken = [0, 1, 2].map(async index => await appender.append(event(`q${index}`, index)))
  await t.rejects(appender.append(event('q3')), { code: 'queue_full' })
  const closed = appender.close()
  await t.rejects(appender.append(event('q4')), AppendRefused)
  await closed
  t.same((await Promise.all(taken)).map(({ outcome }) => outcome), ['accepted', 'accepted', 'accepted'])
})

test('shards are chosen by sha256 of the key: fixed for ever', t => {
  t.same(['cust_IdgAFZxYwwHctOk9pPuMu308', 'cust_ufwK2qUNGDYxa1aji7XKzuHm', 'a', 'b', ''].map(key => shardOf(key, 16)), [6, 14, 2, 6, 2])
  t.end()
})

test('a pool of ours reads points exactly and times with microseconds', async t => {
  const { url } = await openLedger(t)
  const pool = openPool({ url, poolSize: 1, name: 'test' })
  const db = databaseOf(pool)
  t.teardown(() => closePool(pool))
  const { rows: [row] } = await sql<Record<string, unknown>>`select 9007199254740993::int8 as points, '2026-01-01 10:00:00.123456+02'::timestamptz as at, '{"a": 1}'::json as body, current_setting('synchronous_commit') as durable`.execute(db)
  t.same(row, { points: 9007199254740993n, at: '2026-01-01T08:00:00.123456Z', body: '{"a": 1}', durable: 'on' })
})

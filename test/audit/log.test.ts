import { test } from 'tap'
import { verifyLog } from '../../src/audit/log.ts'
import { storeDelivery } from '../../src/ingest/store-delivery.ts'
import { identifyAsUnread } from '../../src/providers/voucherify/identify.ts'
import { simulate } from '../../simulator/simulate.ts'
import { append } from '../../src/log/append.sql.ts'
import { closePool, databaseOf, openPool } from '../../src/postgres/database.ts'
import { shardOf } from '../../src/log/shards.sql.ts'
import { audit, awardsOf, anchorNow, findingsOf, store, tamper } from '../support/audit.ts'
import { enveloped, orderData } from '../support/deliveries.ts'
import { openLedger } from '../support/ledger.ts'
import { waitUntil } from '../support/wait.ts'

const SHARDS = 4

test('whatever the provider sends, in every envelope and at its worst, the log is clean for both', async t => {
  const ledger = await openLedger(t, { shards: SHARDS, queueLimit: 20_000 })
  const intake = { db: ledger.db, appender: ledger.appender, shards: SHARDS }
  const { deliveries } = simulate({ seed: '11', customers: 40, events: 2500, chaos: 'high' })
  const settled = await Promise.all(deliveries.filter(({ kind }) => kind !== 'forged').map(async ({ body }) => await storeDelivery(body, intake)))
  const stored = settled.filter(({ status }) => status === 'accepted').length
  t.ok(stored > 1000, `${stored} events`)
  const { command, sql, counts, rows, findings } = await audit(ledger, await anchorNow(ledger))
  t.same({ command, sql }, { command: [], sql: [] })
  if (command.length + sql.length > 0) t.comment({ findings: findings.slice(0, 5), rows: rows.slice(0, 5) })
  t.equal(counts.events, stored)
})

test('appends that go on meanwhile are no difference', async t => {
  const ledger = await openLedger(t, { shards: SHARDS, queueLimit: 20_000 })
  await store(ledger, awardsOf('cust_1', 1500), SHARDS)
  let appended = 0
  const walks = new AbortController()
  const appending = (async () => {
    while (!walks.signal.aborted) {
      await store(ledger, [enveloped(orderData({ id: `ord_${++appended}`, customer: `cust_${appended}` }), { id: `ev_${appended}`, eventType: 'customer.order.paid' })], SHARDS)
    }
  })()
  for (let walk = 0; walk < 3; walk++) {
    const before = appended
    t.same(await findingsOf(ledger.db), [])
    await waitUntil(() => appended > before, { timeout_ms: 10_000, what: 'another append' })
  }
  walks.abort()
  await appending
  const counts = await verifyLog(ledger.db, { found: finding => t.fail(finding.detail) })
  t.equal(counts.events, 1500 + appended)
})

test('a login that may only select suffices', async t => {
  const ledger = await openLedger(t, { shards: SHARDS })
  await store(ledger, awardsOf('cust_1', 3), SHARDS)
  const role = `auditor_${process.pid}`
  await ledger.owner.query(`create role ${role}; grant usage on schema ledger to ${role}; grant select on ledger.events, ledger.shards to ${role}`)
  const pool = openPool({ url: ledger.url, role, readOnly: true, poolSize: 2, name: 'test' })
  t.teardown(async () => {
    await closePool(pool)
    await ledger.owner.query(`drop owned by ${role}; drop role ${role}`)
  })
  t.same(await findingsOf(databaseOf(pool)), [])
})

test('an event that came before its type was read fits as such, and as nothing else', async t => {
  const ledger = await openLedger(t, { shards: SHARDS })
  const body = Buffer.from(JSON.stringify(enveloped(orderData(), { id: 'ev_early', eventType: 'customer.order.paid' })))
  const unread = identifyAsUnread(body)
  if ('reason' in unread) throw new Error(unread.detail)
  t.match(unread, { event_id: 'ev_early', subject: '-' }, 'named by its envelope alone')
  await append(ledger.db, [{ ...unread, provider: 'voucherify', shard: shardOf(unread.shard_key, SHARDS) }])
  const { command, sql, counts } = await audit(ledger)
  t.same({ command, sql, unread: counts.unread }, { command: [], sql: [], unread: 1 })
  await tamper(ledger.owner, "update ledger.events set channel = 'CLIENT'")
  const { findings } = await audit(ledger)
  t.match(findings, [{ code: 'IDENTITY_MISMATCH', detail: /channel is "CLIENT", should be "API"/ }])
})

test('a body that this version cannot read at all is named', async t => {
  const ledger = await openLedger(t, { shards: SHARDS })
  await store(ledger, awardsOf('cust_1', 1), SHARDS)
  for (const [body, reason] of [['null', 'not_an_object'], ['{}', 'unidentified'], ['{"data":1,"event":{"id":""}}', 'unidentified'], [`${'['.repeat(300)}${']'.repeat(300)}`, 'too_deep']] as const) {
    await tamper(ledger.owner, `update ledger.events set body = '${body}'`)
    const { findings } = await audit(ledger)
    t.match(findings.map(({ code }) => code), ['DIGEST_MISMATCH', 'SIZE_MISMATCH', 'IDENTITY_MISMATCH'])
    t.match(findings.at(-1)?.detail, `cannot identify the event from its body (${reason}`)
  }
})

test('pages: a log of many, and bodies that fill pages by themselves', async t => {
  const ledger = await openLedger(t, { shards: 1, queueLimit: 20_000, bodyLimitBytes: 104_857_600 })
  await store(ledger, awardsOf('cust_1', 2500), 1)
  const large = (id: string): object => enveloped({ ...orderData({ id, customer: 'cust_1' }), padding: 'x'.repeat(5_000_000) }, { id, eventType: 'customer.order.paid' })
  for (const id of ['ord_large_1', 'ord_large_2']) await store(ledger, [large(id)], 1)
  const pages: number[] = []
  const counts = await verifyLog(ledger.db, { found: finding => t.fail(finding.detail), progress: events => { pages.push(events) } })
  t.equal(counts.events, 2502)
  t.same(pages, [1000, 1000, 501, 1], 'bounded by count, and by bytes')
  await tamper(ledger.owner, 'delete from ledger.events where position between 1000 and 2001', 'update ledger.events set body_bytes = 1 where body_bytes > 1000000')
  t.match((await findingsOf(ledger.db)).map(({ code, position }) => `${code} ${position}`), ['GAP 1000', 'SIZE_MISMATCH 2501', 'SIZE_MISMATCH 2502'])
})

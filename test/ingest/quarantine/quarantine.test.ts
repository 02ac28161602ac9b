import { Kysely, PostgresDialect } from 'kysely'
import { test } from 'tap'
import { locateEvents } from '../../../src/log/read.sql.ts'
import { countOpen, findQuarantined, foreseeQuarantine, listQuarantine, markDiscarded, newestQuarantineId, quarantine, listOpen } from '../../../src/ingest/quarantine/quarantine.sql.ts'
import type { Tables } from '../../../src/postgres/tables.ts'
import { createDatabase } from '../../support/database.ts'

test('no query scans the log or the quarantine, however large and never analysed', async t => {
  const { pool } = await createDatabase(t)
  await pool.query(`
    insert into ledger.quarantine (provider, body, headers, reason, detail, event_id, subject)
    select 'voucherify', n::text::bytea, '{}', case when n % 100 = 0 then 'conflict' else 'not_json' end, 'd', 'ev_' || n, '-' from generate_series(1, 20000) n`)
  await pool.query(`
    insert into ledger.events (event_id, subject, provider, shard, position, type, recorded_at, test, body, body_bytes, body_digest, fact_digest, chain)
    select 'ev_' || n, '-', 'voucherify', 0, n, 't', now(), false, '{}', 2, sha256(''), sha256(''), sha256('') from generate_series(1, 20000) n`)
  const asked: Array<{ sql: string, parameters: readonly unknown[] }> = []
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }), log: event => { asked.push({ sql: event.query.sql, parameters: event.query.parameters }) } })
  await listQuarantine(db, { state: 'open', after: 5000n, limit: 51 })
  await listQuarantine(db, { state: 'open', reason: 'conflict', limit: 51 })
  await listOpen(db, { reason: 'conflict', after: 5000n, upTo: 20000n, limit: 64 })
  await listOpen(db, { after: 5000n, upTo: 20000n, limit: 64 })
  await newestQuarantineId(db)
  await countOpen(db, 'conflict')
  await foreseeQuarantine(db, { provider: 'voucherify', body: Buffer.from('7') })
  await locateEvents(db, [{ event_id: 'ev_7', subject: '-' }, { event_id: 'ev_0', subject: '-' }])
  await findQuarantined(db, 7n)
  t.equal(asked.length, 10)
  for (const analysed of [false, true]) {
    if (analysed) await pool.query('analyze ledger.quarantine, ledger.events')
    for (const { sql, parameters } of asked) {
      const { rows } = await pool.query<{ 'QUERY PLAN': string }>(`explain ${sql}`, [...parameters])
      const plan = rows.map(row => row['QUERY PLAN']).join('\n')
      t.notMatch(plan, /Seq Scan/, `${analysed ? 'analysed' : 'never analysed'}: ${sql}\n${plan}`)
    }
  }
})

test('the same bytes from two providers are two rows, each decided on by itself', async t => {
  const { pool } = await createDatabase(t)
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) })
  const sent = { body: Buffer.from('not JSON'), headers: {}, reason: 'not_json', detail: 'd' }
  const first = await quarantine(db, { ...sent, provider: 'voucherify' })
  t.equal((await quarantine(db, { ...sent, provider: 'voucherify' })).quarantine_id, first.quarantine_id, 'the same provider: the same row')
  await markDiscarded(db, first.quarantine_id, 'nobody needs it', 'a test')
  t.same(await foreseeQuarantine(db, { ...sent, provider: 'other' }), { fate: 'waits' }, 'a dry run says so before')
  const second = await quarantine(db, { ...sent, provider: 'other' })
  t.not(second.quarantine_id, first.quarantine_id)
  t.equal(second.fate, 'waits', 'what a person decided about one provider says nothing about another')
  t.equal((await quarantine(db, { ...sent, provider: 'voucherify' })).fate, 'discarded')
  const { rows } = await pool.query('select provider, state, times_seen::int from ledger.quarantine order by quarantine_id')
  t.strictSame(rows, [{ provider: 'voucherify', state: 'discarded', times_seen: 3 }, { provider: 'other', state: 'open', times_seen: 1 }])
})

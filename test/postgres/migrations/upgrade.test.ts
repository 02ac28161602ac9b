// A later version of the schema meets a ledger in use: what changes is applied, and all rows and answers stay.
import { appendFileSync, cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type pg from 'pg'
import { test, type Test } from 'tap'
import { simulate } from '../../../simulator/simulate.ts'
import { createKey } from '../../../src/access/api-keys.sql.ts'
import { databaseOf } from '../../../src/postgres/database.ts'
import { migrateDown, migrateUp, migrationsFolder, migrationStatus } from '../../../src/postgres/migrations/migrate.ts'
import { createDatabase } from '../../support/database.ts'
import { openLedger, type TestLedger } from '../../support/ledger.ts'
import { copyOut, readBack } from '../../support/table-copy.ts'

/** The migrations of this version, to be changed. */
function nextVersion (t: Test): string {
  const dir = t.testdir({})
  cpSync(migrationsFolder, dir, { recursive: true })
  return dir
}

const commentOf = async (pool: pg.Pool, view: string): Promise<string> =>
  (await pool.query<{ text: string }>("select obj_description(to_regclass($1), 'pg_class') as text", [view])).rows[0]?.text ?? ''

/** A ledger with rows in every table. */
async function used (t: Test): Promise<TestLedger> {
  const ledger = await openLedger(t)
  const { deliveries } = simulate({ seed: 'an upgrade', customers: 12, events: 300, chaos: 'high' })
  for (const { body } of deliveries) await ledger.post(body)
  await ledger.project()
  await createKey(databaseOf(ledger.owner), 'finance', 'read')
  await ledger.owner.query(`
    insert into projection.parked (projection, key, shard, position, event_id, subject, code, reason) values ('cards', 'card:v_parked', 0, 1, 'ev', '-', 'fold_failed', 'r');
    insert into projection.waiting (projection, key, shard, position) values ('cards', 'card:v_parked', 0, 1);
    insert into ledger.reconciliations (provider) values ('voucherify');
    insert into ledger.reconcile_cursors (provider, list, cursor) values ('voucherify', 'rows', 'vtx_1');
    insert into ledger.reconcile_cards (reconciliation_id, card_id) select reconciliation_id, 'v_1' from ledger.reconciliations`)
  return ledger
}

async function answers (ledger: TestLedger): Promise<unknown> {
  const { rows } = await ledger.owner.query<{ customer_id: string }>('select customer_id from projection.customers order by 1')
  return await Promise.all(rows.map(async ({ customer_id }) => {
    const { as_of: _, ...balance } = (await ledger.get(`/v1/customers/${customer_id}/balance`)).json()
    return balance
  }))
}

test('a ledger in use takes on a new migration and a changed view, and nothing else; rows and answers stay, also on the way back', async t => {
  const ledger = await used(t)
  const { owner, url } = ledger
  const rows = await copyOut(owner, ['ledger', 'projection'])
  const { rows: tables } = await owner.query<{ name: string }>("select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('ledger', 'projection') and tablename <> 'repeatable_files' order by 1")
  t.strictSame([...new Set(rows.map(({ table }) => table))].sort(), tables.map(({ name }) => name), 'there are rows in every table')
  const before = await answers(ledger)
  const stays = async (when: string): Promise<void> => {
    t.strictSame(await readBack(owner, rows), rows, `rows ${when}`)
    t.strictSame(await answers(ledger), before, `answers ${when}`)
  }

  const dir = nextVersion(t)
  writeFileSync(join(dir, '0002_note.sql'), '-- Up Migration\nalter table ledger.events add column note text;\n\n-- Down Migration\nalter table ledger.events drop column note;\n')
  appendFileSync(join(dir, 'views/cards.sql'), "\ncomment on view reporting.cards is 'another text';\n")
  const text = await commentOf(owner, 'reporting.cards')
  const history = async (): Promise<unknown> => (await owner.query('select name, count(*)::integer as texts from ledger.repeatable_files group by name having count(*) > 1')).rows

  t.match(await migrationStatus(url, { dir }), { pending: ['0002_note', 'views/cards'], unknown: { length: 0 }, replaced: { length: 0 } })
  t.strictSame(await history(), [])
  t.strictSame(await migrateUp(url, { dir }), ['0002_note', 'views/cards'])
  t.strictSame(await history(), [{ name: 'views/cards', texts: 2 }], 'no other file was applied')
  t.equal(await commentOf(owner, 'reporting.cards'), 'another text')
  t.strictSame(await migrateUp(url, { dir }), [], 'once')
  await stays('after the upgrade')

  t.match(await migrationStatus(url), { pending: { length: 0 }, unknown: ['0002_note'], replaced: { length: 0 } }, 'the version before sees a newer database')
  t.strictSame(await migrateUp(url), [], 'and leaves it alone')
  t.equal(await commentOf(owner, 'reporting.cards'), 'another text')

  t.strictSame(await migrateDown(url, { dir, count: 1 }), ['0002_note'])
  t.match(await migrationStatus(url), { pending: { length: 0 }, unknown: { length: 0 }, replaced: ['views/cards'] }, 'the version before can work, beside a text that is not its own')
  t.strictSame(await migrateUp(url), ['views/cards'], 'and brings its own back')
  t.equal(await commentOf(owner, 'reporting.cards'), text)
  await stays('after the way back')

  t.match(await migrationStatus(url, { dir }), { pending: ['0002_note'], replaced: ['views/cards'] })
  t.strictSame(await migrateUp(url, { dir }), ['0002_note', 'views/cards'])
  await stays('after the second upgrade')
})

test('repeatable files: functions before views, by name; all of them or none', async t => {
  const { url, pool } = await createDatabase(t, { blank: true })
  const dir = nextVersion(t)
  mkdirSync(join(dir, 'views'), { recursive: true })
  writeFileSync(join(dir, 'functions/zz.sql'), 'create or replace function reporting.two () returns integer language sql return 2;\n')
  writeFileSync(join(dir, 'views/aa.sql'), 'create or replace view reporting.aa as select reporting.two() as two;\n')
  writeFileSync(join(dir, 'views/.aa.sql.swp'), 'no SQL')
  const applied = await migrateUp(url, { dir })
  t.strictSame(applied, (await migrationStatus(url, { dir })).applied.concat(applied.filter(name => name.includes('/'))))
  t.ok(applied.indexOf('functions/zz') < applied.indexOf('views/aa'))
  t.strictSame((await pool.query('select two from reporting.aa')).rows, [{ two: 2 }])

  writeFileSync(join(dir, 'functions/zz.sql'), 'create or replace function reporting.two () returns integer language sql return 3;\n')
  writeFileSync(join(dir, 'views/aa.sql'), 'create or replace view reporting.aa as select nonsense;\n')
  await t.rejects(migrateUp(url, { dir }), { code: 'migration_failed', message: /views\/aa.*nonsense.*left nothing behind/s })
  t.strictSame((await pool.query('select two from reporting.aa')).rows, [{ two: 2 }], 'the function is as before')
  t.strictSame((await migrationStatus(url, { dir })).pending, ['functions/zz', 'views/aa'])
})

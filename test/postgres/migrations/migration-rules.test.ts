import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { migrationsFolder } from '../../../src/postgres/migrations/migrate.ts'
import { dangersIn, unrepeatableIn } from '../../support/migration-rules.ts'

/** The baseline meets no rows. */
const AFTER_THE_BASELINE = 2

test('no migration blocks a large table that is in use', t => {
  for (const name of readdirSync(migrationsFolder).filter(name => Number.parseInt(name, 10) >= AFTER_THE_BASELINE)) {
    t.strictSame(dangersIn(readFileSync(join(migrationsFolder, name), 'utf8')), [], name)
  }
  t.end()
})

test('a repeatable file can be applied to any earlier text of itself', t => {
  const files = readdirSync(migrationsFolder, { encoding: 'utf8', recursive: true }).filter(name => /^(functions|views)\/.*\.sql$/.test(name))
  t.ok(files.length > 5)
  for (const name of files) t.strictSame(unrepeatableIn(readFileSync(join(migrationsFolder, name), 'utf8')), [], name)
  for (const statement of ['create view v as select 1', 'drop view v', 'create table a (b integer)', 'alter table a add column b integer', 'create trigger x before insert on a execute function f()', 'insert into a values (1)']) {
    t.strictSame(unrepeatableIn(`create or replace view w as select 1;\n${statement};`), [statement])
  }
  t.end()
})

const REFUSED = [
  'create index events_type on ledger.events (type)',
  'create unique index on ledger.events (type)',
  'drop index ledger.events_type',
  'alter table ledger.events alter column position type integer',
  'alter table ledger.events add column stored_at timestamptz default clock_timestamp()',
  'alter table ledger.events add column size integer generated always as (octet_length(body::text)) stored',
  'alter table ledger.events add column note text not null',
  'alter table ledger.events alter column customer_id set not null',
  "alter table ledger.events add constraint typed check (type <> '')",
  'alter table ledger.events add unique (type, position)',
  'alter table projection.cards add foreign key (customer_id) references projection.customers',
  'lock table ledger.events',
  "set local lock_timeout = '5s'",
  'reindex table ledger.events'
]

const ACCEPTED = [
  'create index concurrently events_type on ledger.events (type)',
  'create table ledger.notes (n integer primary key, t text not null);\ncreate index notes_t on ledger.notes (t);\nalter table ledger.notes add constraint short check (length(t) < 10)',
  'alter table ledger.events add column note text',
  'alter table ledger.shards add unique (head, chain)',
  "alter table ledger.events add column note text not null default ''",
  "alter table ledger.events add constraint typed check (type <> '') not valid",
  'alter table ledger.events validate constraint typed',
  'alter table ledger.events add constraint events_type_key unique using index events_type',
  'create function ledger.f () returns void language plpgsql as $$ begin create temp table x as select 1; create index on x (y); end $$',
  '-- create index events_type on ledger.events (type)\nselect 1',
  'select 1;\n-- Down Migration\ndrop index ledger.events_type'
]

test('the rules refuse what is dangerous and nothing else', t => {
  for (const statement of REFUSED) t.equal(dangersIn(`-- Up Migration\n${statement};`).length, 1, statement)
  for (const statement of ACCEPTED) t.strictSame(dangersIn(`-- Up Migration\n${statement};`), [], statement)
  t.end()
})

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { migrationsFolder } from '../../../src/postgres/migrations/migrate.ts'
import { dangersIn } from '../../support/migration-rules.ts'

/** The first release came with an empty log. */
const AFTER_THE_FIRST_RELEASE = 2

test('no migration does to a table in use what a large one cannot bear', t => {
  for (const name of readdirSync(migrationsFolder).filter(name => Number.parseInt(name, 10) >= AFTER_THE_FIRST_RELEASE)) {
    t.strictSame(dangersIn(readFileSync(join(migrationsFolder, name), 'utf8')), [], name)
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

test('the rules tell what is dangerous from what is not', t => {
  for (const statement of REFUSED) t.equal(dangersIn(`-- Up Migration\n${statement};`).length, 1, statement)
  for (const statement of ACCEPTED) t.strictSame(dangersIn(`-- Up Migration\n${statement};`), [], statement)
  t.end()
})

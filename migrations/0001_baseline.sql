-- Up Migration

-- Tables, roles and rights. Functions with their triggers are in functions/, reporting views in views/: repeatable files, each
-- with the current text of one thing, which `migrate up` applies after the migrations when their digest changed.

-- Roles belong to the cluster, not to the database: another ledger on this server may have created them, and this login need
-- not be the one that did. Where this login may not create or join roles, somebody who may has to (docs/operations.md).
do $$
declare
  role text;
begin
  foreach role in array array['ledger_service', 'ledger_reader'] loop
    if not exists (select from pg_roles where rolname = role) then
      begin
        execute format('create role %I nologin', role);
      exception when duplicate_object or unique_violation then null;  -- another database's migration was faster
      end;
    end if;
    -- A login that may create roles is not a superuser: it must be a member of a role before it can `set role` to it.
    if not pg_has_role(current_user, role, 'member') then
      begin
        execute format('grant %I to %I', role, current_user);
      exception when insufficient_privilege then
        raise warning 'this login may not grant % to itself; the service cannot take on the role until someone grants it', role;
      end;
    end if;
  end loop;
end $$;

-- ledger: the event store. Everything else in the database can be derived from it.

create schema ledger;
comment on schema ledger is 'Internal. The append-only event log and its bookkeeping. Read it through reporting or the HTTP API.';
grant usage on schema ledger to ledger_service;

create table ledger.repeatable_files (
  name text collate "C" not null,
  digest bytea not null,
  applied_at timestamptz not null default clock_timestamp(),
  constraint repeatable_files_pkey primary key (name, digest),
  constraint repeatable_files_digest_length check (octet_length(digest) = 32)
);
comment on table ledger.repeatable_files is 'Which texts of the repeatable files (functions, views) were applied to this database. The newest of a file is the current one.';
comment on column ledger.repeatable_files.name is 'The path of the file below migrations/, without .sql, e.g. functions/append';
comment on column ledger.repeatable_files.digest is 'sha256 of the file';
comment on column ledger.repeatable_files.applied_at is 'When migrate up applied this text last';

create table ledger.shards (
  shard smallint not null,
  head bigint not null default 0,
  chain bytea not null default decode(repeat('00', 32), 'hex'),
  constraint shards_pkey primary key (shard),
  constraint shards_shard_range check (shard >= 0),
  constraint shards_head_range check (head >= 0),
  constraint shards_chain_length check (octet_length(chain) = 32)
) with (fillfactor = 20);
comment on table ledger.shards is 'One row a shard; their number is fixed when the database is created. The row lock orders commits: a reader that has seen position n has seen all before n.';
comment on column ledger.shards.head is 'The newest position of the shard; 0 when it is empty';
comment on column ledger.shards.chain is 'The chain value of the newest event; 32 zero bytes when the shard is empty';

create table ledger.events (
  event_id text collate "C" not null check (event_id <> ''),
  subject text collate "C" not null check (subject <> ''),
  provider text collate "C" not null,
  shard smallint not null,
  position bigint not null check (position > 0),
  type text collate "C" not null,
  customer_id text collate "C",
  occurred_at timestamptz,
  recorded_at timestamptz not null,
  test boolean not null,
  send_out_id text,
  sender_kind text,
  sender_id text,
  group_id text,
  project_id text,
  channel text,
  body json not null,
  body_bytes integer not null,
  body_digest bytea not null,
  fact_digest bytea not null,
  chain bytea not null,
  erased_by text collate "C",
  constraint events_pkey primary key (event_id, subject),
  constraint events_shard_position_key unique (shard, position),
  constraint events_provider_name check (provider ~ '^[a-z][a-z0-9_-]*$')
);
comment on table ledger.events is 'Facts the provider told us, each stored once, for ever. Append-only: by privilege for the service, by trigger for everyone.';
comment on column ledger.events.subject is 'What the event is about, as a natural key; keeps apart facts that share an event id';
comment on column ledger.events.provider is 'Who sent it: chooses the rules by which the body is read';
comment on column ledger.events.position is 'Place in the shard: 1, 2, 3 … without holes, in commit order';
comment on column ledger.events.occurred_at is 'When it happened at the provider; null where a type we do not know carries no time';
comment on column ledger.events.recorded_at is 'When we first stored it (recorded_at in answers)';
comment on column ledger.events.test is 'A test delivery of the provider (all-zero ids): kept, never projected';
comment on column ledger.events.body is 'The JSON exactly as received: json, not jsonb, because it is the evidence. Where erased_by is set: without what was personal';
comment on column ledger.events.body_bytes is 'Size of the body; what is stored may be compressed a hundredfold';
comment on column ledger.events.body_digest is 'sha256 of the body bytes as received, also where they were redacted since';
comment on column ledger.events.fact_digest is 'sha256 of the facts about the subject, canonical: same key and other facts is a conflict';
comment on column ledger.events.chain is 'sha256(chain of the position before || ledger.chain_link(…))';
comment on column ledger.events.erased_by is 'The newest erasure event that took personal data out of the body; null: the body is as received';

create table ledger.quarantine (
  quarantine_id bigint generated always as identity primary key,
  provider text collate "C" not null,
  body bytea not null,
  body_digest bytea not null,
  headers jsonb not null,
  reason text not null,
  detail text not null,
  event_id text,
  subject text,
  first_seen_at timestamptz not null default clock_timestamp(),
  last_seen_at timestamptz not null default clock_timestamp(),
  times_seen bigint not null default 1,
  state text not null default 'open' check (state in ('open', 'redriven', 'discarded')),
  decided_at timestamptz,
  decided_by text,
  discard_reason text check (discard_reason <> ''),
  erased_by text collate "C",
  constraint quarantine_body_digest_key unique (body_digest),
  constraint quarantine_provider_name check (provider ~ '^[a-z][a-z0-9_-]*$'),
  constraint quarantine_decided check ((state = 'open') = (decided_at is null) and (state = 'open') = (decided_by is null)),
  constraint quarantine_discarded_for_a_reason check (state <> 'discarded' or discard_reason is not null)
);
comment on table ledger.quarantine is 'Authentic deliveries we cannot use yet, byte for byte. A retried one is one row. Rows and their bytes stay, whatever is decided.';
comment on column ledger.quarantine.provider is 'Who sent it';
comment on column ledger.quarantine.body_digest is 'sha256 of the bytes as received, also where they were redacted since';
comment on column ledger.quarantine.reason is 'A stable code, e.g. not_json, unidentified, invalid_payload, conflict; of the newest reading while the row is open';
comment on column ledger.quarantine.event_id is 'With subject: the stored event that a conflicting delivery contradicts, or that a redriven one told';
comment on column ledger.quarantine.state is 'open: waits; redriven: its event is stored; discarded: a person said that it is not wanted';
comment on column ledger.quarantine.decided_at is 'When it was redriven or discarded';
comment on column ledger.quarantine.decided_by is 'Who did: an API key by id and name, or command line';
comment on column ledger.quarantine.discard_reason is 'Why it is not wanted, in the words of the person who decided';
comment on column ledger.quarantine.erased_by is 'The newest erasure event that took personal data out of the row; null: the bytes are as received';
create index quarantine_state on ledger.quarantine (state, quarantine_id);
create index quarantine_reason on ledger.quarantine (state, reason, quarantine_id);

create table ledger.api_keys (
  key_id text primary key,
  name text not null,
  scope text not null check (scope in ('read', 'operate')),
  token_digest bytea not null unique,
  created_at timestamptz not null default clock_timestamp(),
  revoked_at timestamptz
);
comment on table ledger.api_keys is 'Who may enter. Only sha256 digests of the tokens are kept: 256-bit random tokens need no slow hash.';

grant select on ledger.repeatable_files, ledger.shards, ledger.events, ledger.quarantine, ledger.api_keys to ledger_service;
-- Not body, not headers, no delete: what came in stays as it came.
grant insert (provider, body, headers, reason, detail, event_id, subject),
      update (reason, detail, event_id, subject, last_seen_at, times_seen, state, decided_at, decided_by, discard_reason)
   on ledger.quarantine to ledger_service;
-- For readiness: are the migrations current?
grant select on public.ledger_migrations to ledger_service;

-- The projections: derived from events, disposable, rebuildable. No foreign keys and no triggers
-- between them: the fold is the one thing that writes them, and it commits them with its checkpoint.

create schema projection;
comment on schema projection is 'Internal. Rows folded from ledger.events; may be dropped and rebuilt. Read them through reporting or the HTTP API.';

create table projection.customers (
  customer_id text collate "C" primary key,
  source_id text,
  name text,
  email text,
  metadata json,
  deleted_at timestamptz,
  field_times json not null,
  first_seen_at timestamptz,
  last_seen_at timestamptz
);
comment on table projection.customers is 'The newest told value of each profile field, field by field';
comment on column projection.customers.deleted_at is 'When the provider deleted the customer; points and orders stay';
comment on column projection.customers.field_times is 'For each field the time of the telling that set it: what a later one must beat; of one moment the greater value stands';
-- Hash indexes: these texts are the merchant's own and of any length, and a btree entry must stay under 2.7 kB.
create index customers_source_id on projection.customers using hash (source_id);

create table projection.cards (
  card_id text collate "C" primary key,
  code text,
  campaign_id text,
  campaign text,
  customer_id text collate "C",
  active boolean,
  deleted_at timestamptz,
  field_times json not null,
  holders json not null,
  balance numeric not null,
  opening numeric not null,
  earned numeric not null,
  spent numeric not null,
  refunded numeric not null,
  expired numeric not null,
  adjusted numeric not null,
  transferred numeric not null,
  unexplained numeric not null,
  pending numeric not null,
  movements bigint not null,
  first_movement_at timestamptz,
  last_movement_at timestamptz,
  constraint cards_balance_ties check (balance = opening + earned + refunded - spent - expired + adjusted + transferred + unexplained)
) with (fillfactor = 80);
-- numeric: each movement fits an int8, and the sum of any number of them must not stop a projection.
comment on table projection.cards is 'Loyalty cards with their folded sums; the check constraint is invariant 8';
comment on column projection.cards.holders is 'For each customer told to hold the card [customer, last told to, last told no more]: what a later telling is measured against';
create index cards_customer_id on projection.cards (customer_id, card_id);
create index cards_code on projection.cards using hash (code);

create table projection.movement_observations (
  movement_id text collate "C" not null,
  card_id text collate "C" not null,
  event_id text collate "C" not null,
  subject text collate "C" not null,
  source_rank smallint not null,
  kind text not null,
  points bigint,
  reported_balance bigint,
  occurred_at timestamptz not null,
  recorded_at timestamptz not null,
  order_id text,
  earning_rule_id text,
  holder_id text,
  details json,
  fact_digest bytea not null,
  primary key (movement_id, card_id, event_id, subject)
);
-- For what was known at a time: which movements of a card were told of later.
create index movement_observations_recorded_at on projection.movement_observations (card_id, recorded_at);
comment on table projection.movement_observations is 'Each telling of a movement by an event. Kept, not only their merger: what was known at a time is the fold of the movement_observations recorded by then.';
comment on column projection.movement_observations.source_rank is 'How well source_rank the source is: 4 row of the provider''s card ledger, 3 the same out of an export, 2 enveloped event, 1 bare data, 0 price list; the better one wins field by field';
comment on column projection.movement_observations.points is 'Signed; null where the telling does not say how many';
comment on column projection.movement_observations.details is 'What else explains the movement: the provider''s row, a reason, expired buckets';

create table projection.pending_observations (
  pending_id text collate "C" not null,
  card_id text collate "C" not null,
  event_id text collate "C" not null,
  subject text collate "C" not null,
  state text not null check (state in ('added', 'updated', 'activated', 'canceled')),
  points bigint not null,
  activates_on text,
  occurred_at timestamptz not null,
  recorded_at timestamptz not null,
  order_id text,
  earning_rule_id text,
  holder_id text,
  primary key (card_id, pending_id, event_id, subject)
);
comment on table projection.pending_observations is 'Every observed state of each lot of pending points; the newest one says what is outstanding, and one that ended stays so';
comment on column projection.pending_observations.activates_on is 'A day in the project''s time zone, as told';

create table projection.holdings (
  customer_id text collate "C" not null,
  card_id text collate "C" not null,
  primary key (customer_id, card_id)
);
comment on table projection.holdings is 'Which customers were ever told to hold which card; who does stands in cards, who did in the tellings';

create table projection.holder_observations (
  card_id text collate "C" not null,
  customer_id text collate "C" not null,
  held boolean not null,
  occurred_at timestamptz not null,
  recorded_at timestamptz not null,
  event_id text collate "C" not null,
  subject text collate "C" not null,
  primary key (card_id, customer_id, held, event_id, subject)
);
comment on table projection.holder_observations is 'Tellings of a card''s holder by events that tell neither a movement nor pending points: those say it in their own rows';

create table projection.tier_changes (
  customer_id text collate "C" not null,
  campaign_id text collate "C" not null,
  event_id text collate "C" not null,
  subject text collate "C" not null,
  change text not null check (change in ('joined', 'upgraded', 'downgraded', 'prolonged', 'left')),
  tier_id text,
  tier text,
  from_tier_id text,
  from_tier text,
  occurred_at timestamptz not null,
  recorded_at timestamptz not null,
  primary key (customer_id, campaign_id, event_id, subject)
);
comment on table projection.tier_changes is 'Every told step of a customer between the tiers of a loyalty programme';
comment on column projection.tier_changes.tier_id is 'The tier they are in afterwards; null after leaving';

create table projection.statement_lines (
  card_id text collate "C" not null,
  occurred_at timestamptz not null,
  ordinal integer not null,
  movement_id text collate "C" not null,
  kind text not null,
  points numeric not null,
  balance numeric not null,
  reported_balance numeric,
  recorded_at timestamptz not null,
  order_id text,
  earning_rule_id text,
  event_id text,
  running_totals json,
  primary key (card_id, occurred_at, ordinal)
);
comment on table projection.statement_lines is 'A card''s statement: movements in order with the running balance, unexplained lines in place';
comment on column projection.statement_lines.ordinal is 'Place among the lines of one card at one time';
comment on column projection.statement_lines.running_totals is 'What the card''s lines up to this one add up to; null but for every 256th movement';
-- Small, as one line in 256 has running totals.
create index statement_lines_running_totals on projection.statement_lines (card_id, occurred_at, ordinal) where running_totals is not null;
create index statement_lines_movement_id on projection.statement_lines (movement_id, card_id);

create table projection.orders (
  order_id text collate "C" primary key,
  customer_id text collate "C",
  source_id text,
  status text not null,
  amount bigint,
  initial_amount bigint,
  discount_amount bigint,
  items_discount_amount bigint,
  total_discount_amount bigint,
  total_amount bigint,
  items json,
  metadata json,
  created_at timestamptz,
  updated_at timestamptz not null,
  placed_at timestamptz not null,
  status_rank smallint not null,
  state_digest bytea not null
);
comment on table projection.orders is 'The newest observed state of each order, by (updated_at, status rank, digest)';
comment on column projection.orders.placed_at is 'created_at, else updated_at: what a history is sorted by';
create index orders_customer_id on projection.orders (customer_id, placed_at, order_id);

create table projection.order_states (
  order_id text collate "C" not null,
  updated_at timestamptz not null,
  status_rank smallint not null,
  state_digest bytea not null,
  status text not null,
  customer_id text collate "C",
  source_id text,
  amount bigint,
  initial_amount bigint,
  discount_amount bigint,
  items_discount_amount bigint,
  total_discount_amount bigint,
  total_amount bigint,
  items json,
  metadata json,
  created_at timestamptz,
  recorded_at timestamptz not null,
  event_id text collate "C" not null,
  subject text collate "C" not null,
  primary key (order_id, updated_at, status_rank, state_digest)
);
comment on table projection.order_states is 'Every state an order was observed in; recorded_at, event_id and subject name the earliest event that told it';

create table projection.checkpoints (
  projection text not null,
  version integer not null,
  shard smallint not null references ledger.shards,
  position bigint not null default 0 check (position >= 0),
  updated_at timestamptz not null default clock_timestamp(),
  primary key (projection, version, shard),
  -- One version of a projection has the rows, and the others fold nothing into them.
  constraint checkpoints_one_version unique (projection, shard)
) with (fillfactor = 20);
comment on table projection.checkpoints is 'Up to which position of each shard a projection of this generation has folded the events, and by which version of its rules. Committed together with the rows it vouches for.';

create table projection.parked (
  projection text not null,
  key text collate "C" not null,
  shard smallint not null,
  position bigint not null,
  event_id text collate "C" not null,
  subject text collate "C" not null,
  code text not null,
  reason text not null,
  parked_at timestamptz not null default clock_timestamp(),
  tries integer not null default 1,
  last_tried_at timestamptz not null default clock_timestamp(),
  primary key (projection, key)
);
comment on table projection.parked is 'Cards, orders and customers that stand still because an event about them could not be folded. All else goes on.';
comment on column projection.parked.key is 'card:…, order:…, customer:… or tier:… that stands still; event:… for what else an event tells that cannot be read';
comment on column projection.parked.position is 'With shard: the first event that could not be folded';
comment on column projection.parked.code is 'event_unreadable, or fold_failed';
comment on column projection.parked.reason is 'Why, as of the last try';
comment on column projection.parked.parked_at is 'Since when it stands still; null in answers about a card or an order means that it does not';

create table projection.waiting (
  projection text not null,
  key text collate "C" not null,
  shard smallint not null,
  position bigint not null,
  primary key (projection, key, shard, position)
);
comment on table projection.waiting is 'The events that a parked key waits with, the one that failed included; a redrive folds them in order';

grant usage on schema projection to ledger_service;
grant select, insert, update, delete on all tables in schema projection to ledger_service;
revoke delete on projection.checkpoints from ledger_service;

-- reporting: what people read in SQL. Views only, each column explained, stable from release to release (CHANGELOG). They run with
-- the rights of their owner, so a reader of these views can see nothing else.

create schema reporting;
comment on schema reporting is 'The ledger for people and reports. Views only; changes are announced in the CHANGELOG.';
grant usage on schema reporting to ledger_reader, ledger_service;

-- Down Migration

drop schema reporting cascade;
drop schema if exists projection_build cascade;
drop schema projection cascade;
drop schema ledger cascade;
-- The roles belong to the cluster and other ledgers may use them: they stay.

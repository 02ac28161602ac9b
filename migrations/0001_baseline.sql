-- Up Migration

-- Tables, roles and rights. Functions with their triggers are in functions/, reporting views in views/: repeatable
-- files, each with the current text of one thing, which `migrate up` applies after the migrations when their digest
-- changed.

-- Roles belong to the cluster, not to the database: another ledger on this server may have created them, and this login
-- need not be the one that did. Where this login may not create or join roles, somebody who may has to
-- (docs/operations.md).
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

-- What is checked of each event is checked by the types of its columns. PostgreSQL reads the check constraints of a
-- table anew for each insert, and an append inserts in a loop: with ten of them it took 1.3 times as long.

create domain ledger.identifier as text collate "C" constraint identifier_given check (value <> '');
comment on domain ledger.identifier is 'A name or id that is not empty';
create domain ledger.provider_name as text collate "C" constraint provider_name_spelling check (value ~ '^[a-z][a-z0-9_-]*$');
comment on domain ledger.provider_name is 'The name of a provider, as it is part of a path and before ids';
create domain ledger.digest as bytea constraint digest_length check (octet_length(value) = 32);
comment on domain ledger.digest is 'A sha256, 32 bytes';
create domain ledger.shard_number as smallint constraint shard_number_range check (value >= 0);
comment on domain ledger.shard_number is '0, 1, 2 …';
create domain ledger.log_position as bigint constraint log_position_range check (value > 0);
comment on domain ledger.log_position is 'Place of an event in its shard: 1, 2, 3 …';
create domain ledger.log_head as bigint constraint log_head_range check (value >= 0);
comment on domain ledger.log_head is 'The newest position of a shard; 0 when it is empty';
create domain ledger.byte_count as integer constraint byte_count_range check (value >= 0);
comment on domain ledger.byte_count is 'A number of bytes';

create table ledger.repeatable_files (
  name text collate "C" not null,
  digest ledger.digest not null,
  applied_at timestamptz not null default clock_timestamp(),
  constraint repeatable_files_pkey primary key (name, digest)
);
comment on table ledger.repeatable_files is 'Which texts of the repeatable files (functions, views) were applied to this database. The newest of a file is the current one.';
comment on column ledger.repeatable_files.name is 'The path of the file below migrations/, without .sql, e.g. functions/append';
comment on column ledger.repeatable_files.digest is 'sha256 of the file';
comment on column ledger.repeatable_files.applied_at is 'When migrate up applied this text last';

create table ledger.shards (
  shard ledger.shard_number not null,
  head ledger.log_head not null default 0,
  chain ledger.digest not null default decode(repeat('00', 32), 'hex'),
  constraint shards_pkey primary key (shard)
) with (fillfactor = 20);
comment on table ledger.shards is 'One row a shard. Their number is fixed when the ledger is created. The lock on a row orders the commits of its shard: a reader that sees position n has seen all positions before n.';
comment on column ledger.shards.shard is '0, 1, 2 …: chosen by the sha256 of the customer id';
comment on column ledger.shards.head is 'The newest position of the shard; 0 when it is empty';
comment on column ledger.shards.chain is 'The chain value of the newest event; 32 zero bytes when the shard is empty';

-- When this table is too large for one: partition it by range of position. A unique key of a partitioned table contains
-- the partition key, so the primary key is (shard, position), and the identity of an event is a unique key beside it,
-- which moves to a thin table of its own then. This table becomes the first partition as it is: no row is rewritten
-- (docs/architecture.md).
create table ledger.events (
  event_id ledger.identifier not null,
  subject ledger.identifier not null,
  provider ledger.provider_name not null,
  shard ledger.shard_number not null,
  position ledger.log_position not null,
  type ledger.identifier not null,
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
  body_bytes ledger.byte_count not null,
  body_digest ledger.digest not null,
  fact_digest ledger.digest not null,
  chain ledger.digest not null,
  erased_by text collate "C",
  constraint events_pkey primary key (shard, position),
  constraint events_identity unique (event_id, subject)
);
comment on table ledger.events is 'The log: what providers reported, each event stored once and for ever. Append-only: by privilege for the service, by trigger for everyone.';
comment on column ledger.events.event_id is 'The provider''s id of the event, or one made of its content where it has none';
comment on column ledger.events.subject is 'What the event is about, as a natural key. Distinguishes facts that share an event id';
comment on column ledger.events.provider is 'Who sent it. Chooses the rules by which the body is read';
comment on column ledger.events.shard is 'The part of the log that it is in, by the sha256 of its customer';
comment on column ledger.events.position is 'Place in the shard: 1, 2, 3 … without gaps, in commit order';
comment on column ledger.events.type is 'The provider''s name of what happened';
comment on column ledger.events.customer_id is 'The customer it is about; null where it names none';
comment on column ledger.events.occurred_at is 'When it happened at the provider; null where an event of an unknown type carries no time';
comment on column ledger.events.recorded_at is 'When we first stored it';
comment on column ledger.events.test is 'A test delivery of the provider (all-zero ids): kept, never projected';
comment on column ledger.events.send_out_id is 'The provider''s id of the send-out that brought it first; null where the delivery has none';
comment on column ledger.events.sender_kind is 'What sent it at the provider, e.g. webhook or distribution; null where the delivery does not say';
comment on column ledger.events.sender_id is 'The id of that sender; null where the delivery does not say';
comment on column ledger.events.group_id is 'The request at the provider that caused it; several events share one';
comment on column ledger.events.project_id is 'The provider''s project; null where the delivery does not say';
comment on column ledger.events.channel is 'How the request reached the provider, e.g. API; null where the delivery does not say';
comment on column ledger.events.body is 'The JSON exactly as received: json and not jsonb, because it is the evidence. Where erased_by is set: without personal data';
comment on column ledger.events.body_bytes is 'Size of the body in bytes; on disk it is compressed';
comment on column ledger.events.body_digest is 'sha256 of the body as received, also where it was redacted later';
comment on column ledger.events.fact_digest is 'sha256 of the facts about the subject, in canonical form. The same key with other facts is a conflict';
comment on column ledger.events.chain is 'sha256(chain of the position before || ledger.chain_link(…))';
comment on column ledger.events.erased_by is 'The newest erasure event that took personal data out of the body; null: the body is as received';

-- Small, since clocks are seldom wrong by a day: for the attention of people.
create index events_ahead on ledger.events (recorded_at) where occurred_at - recorded_at > interval '24 hours';

create table ledger.quarantine (
  quarantine_id bigint not null generated always as identity,
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
  state text not null default 'open',
  decided_at timestamptz,
  decided_by text,
  discard_reason text,
  erased_by text collate "C",
  constraint quarantine_pkey primary key (quarantine_id),
  constraint quarantine_provider_body_digest_key unique (provider, body_digest),
  constraint quarantine_provider_name check (provider ~ '^[a-z][a-z0-9_-]*$'),
  constraint quarantine_body_digest_length check (octet_length(body_digest) = 32),
  constraint quarantine_headers_object check (jsonb_typeof(headers) = 'object'),
  constraint quarantine_reason_code check (reason ~ '^[a-z][a-z0-9_]*$'),
  constraint quarantine_event_whole check ((event_id is null) = (subject is null)),
  constraint quarantine_times_seen_range check (times_seen > 0),
  constraint quarantine_state_known check (state in ('open', 'redriven', 'discarded')),
  constraint quarantine_decided check ((state = 'open') = (decided_at is null) and (state = 'open') = (decided_by is null)),
  constraint quarantine_discard_reason_given check (discard_reason <> ''),
  constraint quarantine_discarded_for_a_reason check (state <> 'discarded' or discard_reason is not null)
);
comment on table ledger.quarantine is 'Authentic deliveries that cannot be used yet, byte for byte. The same bytes again from the same provider are the same row. Rows and their bytes stay, whatever is decided.';
comment on column ledger.quarantine.quarantine_id is 'Names the row';
comment on column ledger.quarantine.provider is 'Who sent it';
comment on column ledger.quarantine.body is 'The bytes as received. Where erased_by is set: without personal data';
comment on column ledger.quarantine.body_digest is 'sha256 of the bytes as received, also where they were redacted later';
comment on column ledger.quarantine.headers is 'The headers that matter to a later reading';
comment on column ledger.quarantine.reason is 'Why it cannot be used, as a stable code, e.g. not_json, unidentified, invalid_payload, conflict. Of the newest reading while the row is open';
comment on column ledger.quarantine.detail is 'Why, in a sentence for people';
comment on column ledger.quarantine.event_id is 'With subject: the stored event that a conflicting delivery contradicts, or the event that a redriven one became';
comment on column ledger.quarantine.subject is 'With event_id';
comment on column ledger.quarantine.first_seen_at is 'When it came in first';
comment on column ledger.quarantine.last_seen_at is 'When the same bytes came in last from the provider';
comment on column ledger.quarantine.times_seen is 'How often the same bytes came in from the provider';
comment on column ledger.quarantine.state is 'open: waits; redriven: its event is stored; discarded: a person decided that it is not wanted';
comment on column ledger.quarantine.decided_at is 'When it was redriven or discarded';
comment on column ledger.quarantine.decided_by is 'Who did it: an API key by id and name, or command line';
comment on column ledger.quarantine.discard_reason is 'Why it is not wanted, in the words of the person who decided';
comment on column ledger.quarantine.erased_by is 'The newest erasure event that took personal data out of the row; null: the bytes are as received';
create index quarantine_state on ledger.quarantine (state, quarantine_id);
create index quarantine_reason on ledger.quarantine (state, reason, quarantine_id);

create table ledger.api_keys (
  key_id text not null,
  name text not null,
  scope text not null,
  token_digest bytea not null,
  created_at timestamptz not null default clock_timestamp(),
  revoked_at timestamptz,
  constraint api_keys_pkey primary key (key_id),
  constraint api_keys_token_digest_key unique (token_digest),
  constraint api_keys_scope_known check (scope in ('read', 'operate')),
  constraint api_keys_token_digest_length check (octet_length(token_digest) = 32)
);
comment on table ledger.api_keys is 'API keys. Only sha256 digests of the tokens are kept: random tokens of 256 bits need no slow hash.';
comment on column ledger.api_keys.key_id is 'Names the key; no secret';
comment on column ledger.api_keys.name is 'Who uses it, for people';
comment on column ledger.api_keys.scope is 'read: answers only; operate: also quarantine and redrives';
comment on column ledger.api_keys.token_digest is 'sha256 of the token';
comment on column ledger.api_keys.created_at is 'When it was made';
comment on column ledger.api_keys.revoked_at is 'Since when it is refused; null: it is in force';

create table ledger.reconciliations (
  reconciliation_id bigint not null generated always as identity,
  provider text collate "C" not null,
  card text,
  since timestamptz,
  state text not null default 'running',
  started_at timestamptz not null default clock_timestamp(),
  progressed_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  ended_by text,
  detail text,
  runs integer not null default 1,
  calls bigint not null default 0,
  pulled bigint not null default 0,
  stored bigint not null default 0,
  duplicates bigint not null default 0,
  quarantined bigint not null default 0,
  cards_compared bigint not null default 0,
  cards_equal bigint not null default 0,
  cards_healed bigint not null default 0,
  cards_different bigint not null default 0,
  healed jsonb not null default '{}',
  differences jsonb not null default '[]',
  remarks jsonb not null default '[]',
  constraint reconciliations_pkey primary key (reconciliation_id),
  constraint reconciliations_state_known check (state in ('running', 'stopped', 'finished')),
  constraint reconciliations_ended check ((state = 'running') = (ended_at is null)),
  constraint reconciliations_stopped_for_a_reason check ((state = 'stopped') = (ended_by is not null)),
  constraint reconciliations_healed_object check (jsonb_typeof(healed) = 'object'),
  constraint reconciliations_differences_array check (jsonb_typeof(differences) = 'array'),
  constraint reconciliations_remarks_array check (jsonb_typeof(remarks) = 'array')
);
comment on table ledger.reconciliations is 'Every time the ledger asked the provider: what was asked, what was stored, and how the cards compare';
comment on column ledger.reconciliations.reconciliation_id is 'Names it';
comment on column ledger.reconciliations.provider is 'Who was asked';
comment on column ledger.reconciliations.card is 'The only card that was asked about; null: all';
comment on column ledger.reconciliations.since is 'What changed since this time was read again; null: what the runs before had not read';
comment on column ledger.reconciliations.state is 'running: goes on, or was killed; stopped: ended before its end, and the next run continues it; finished';
comment on column ledger.reconciliations.started_at is 'When its first run began';
comment on column ledger.reconciliations.progressed_at is 'When it stored something last';
comment on column ledger.reconciliations.ended_at is 'When it stopped or finished';
comment on column ledger.reconciliations.ended_by is 'Why it stopped, as a stable code';
comment on column ledger.reconciliations.detail is 'Why it stopped, in a sentence for people';
comment on column ledger.reconciliations.runs is 'How many runs it took: one more for each that was killed or stopped';
comment on column ledger.reconciliations.calls is 'Calls made to the provider''s API';
comment on column ledger.reconciliations.pulled is 'Objects that the API returned';
comment on column ledger.reconciliations.stored is 'How many of them became new events';
comment on column ledger.reconciliations.duplicates is 'How many were stored before';
comment on column ledger.reconciliations.quarantined is 'How many cannot be used, or contradict what is stored';
comment on column ledger.reconciliations.cards_compared is 'Cards of which the provider stated what they hold';
comment on column ledger.reconciliations.cards_equal is 'Cards that were right before';
comment on column ledger.reconciliations.cards_healed is 'Cards that what was pulled made right, or explained better';
comment on column ledger.reconciliations.cards_different is 'Cards that are still not as the provider states';
comment on column ledger.reconciliations.healed is 'By how many points the healed cards changed, by kind; signed';
comment on column ledger.reconciliations.differences is 'The cards that are still different, and why; the first of them where there are many';
comment on column ledger.reconciliations.remarks is 'What could not be read, in sentences for people';
create index reconciliations_newest on ledger.reconciliations (provider, started_at);

create table ledger.reconcile_cursors (
  provider text collate "C" not null,
  list text collate "C" not null,
  cursor text not null,
  updated_at timestamptz not null default clock_timestamp(),
  constraint reconcile_cursors_pkey primary key (provider, list)
);
comment on table ledger.reconcile_cursors is 'Up to where each list of a provider''s API was read. A cursor is written after all that precedes it is stored.';
comment on column ledger.reconcile_cursors.provider is 'Who was asked';
comment on column ledger.reconcile_cursors.list is 'The list, by the name that the provider''s code gives it';
comment on column ledger.reconcile_cursors.cursor is 'Where to read on; only the provider''s code reads it';
comment on column ledger.reconcile_cursors.updated_at is 'When it was moved last';

create table ledger.reconcile_cards (
  reconciliation_id bigint not null,
  card_id text collate "C" not null,
  before jsonb,
  balance bigint,
  balance_at timestamptz,
  pending bigint,
  pending_at timestamptz,
  constraint reconcile_cards_pkey primary key (reconciliation_id, card_id),
  constraint reconcile_cards_reconciliation_fkey foreign key (reconciliation_id) references ledger.reconciliations,
  constraint reconcile_cards_balance_whole check ((balance is null) = (balance_at is null)),
  constraint reconcile_cards_pending_whole check ((pending is null) = (pending_at is null))
);
comment on table ledger.reconcile_cards is 'The cards of a reconciliation that is not finished: what the ledger said before, and what the provider states';
comment on column ledger.reconcile_cards.reconciliation_id is 'The reconciliation';
comment on column ledger.reconcile_cards.card_id is 'The card';
comment on column ledger.reconcile_cards.before is 'What the ledger said before anything about the card was pulled; null: it did not know the card';
comment on column ledger.reconcile_cards.balance is 'The available points that the provider stated last';
comment on column ledger.reconcile_cards.balance_at is 'As of when';
comment on column ledger.reconcile_cards.pending is 'The pending points that the provider stated last';
comment on column ledger.reconcile_cards.pending_at is 'As of when';

grant select on ledger.repeatable_files, ledger.shards, ledger.events, ledger.quarantine, ledger.api_keys,
                ledger.reconciliations, ledger.reconcile_cursors, ledger.reconcile_cards to ledger_service;
grant insert, update on ledger.reconciliations, ledger.reconcile_cursors, ledger.reconcile_cards to ledger_service;
grant delete on ledger.reconcile_cards to ledger_service;
-- Not body, not headers, no delete: a delivery stays as it came in.
grant insert (provider, body, headers, reason, detail, event_id, subject),
      update (reason, detail, event_id, subject, last_seen_at, times_seen, state, decided_at, decided_by, discard_reason)
   on ledger.quarantine to ledger_service;
-- For readiness: are the migrations current?
grant select on public.ledger_migrations to ledger_service;

-- projection: derived from events, disposable, rebuildable. No foreign keys and no triggers between the tables: the
-- fold alone writes them, and commits them with its checkpoint. A rebuild fills a second schema of such tables and
-- takes the place of this one.

create schema projection;
comment on schema projection is 'Internal. Rows folded from ledger.events; may be dropped and rebuilt. Read them through reporting or the HTTP API.';

create table projection.customers (
  customer_id text collate "C" not null,
  source_id text,
  name text,
  email text,
  metadata json,
  deleted_at timestamptz,
  field_times jsonb not null,
  first_seen_at timestamptz,
  last_seen_at timestamptz,
  constraint customers_pkey primary key (customer_id),
  constraint customers_field_times_object check (jsonb_typeof(field_times) = 'object')
);
comment on table projection.customers is 'Customer profiles: the newest observed value of each field, field by field';
comment on column projection.customers.customer_id is 'The provider''s id';
comment on column projection.customers.source_id is 'The merchant''s own id of the customer';
comment on column projection.customers.name is 'Full name';
comment on column projection.customers.email is 'E-mail address';
comment on column projection.customers.metadata is 'JSON as received, keys sorted';
comment on column projection.customers.deleted_at is 'When the provider deleted the customer; points and orders stay';
comment on column projection.customers.field_times is 'By field, the time of the observation that set it: {"name": "2026-01-01T10:00:00.000000Z"}. A later observation wins; of two at one moment the greater value';
comment on column projection.customers.first_seen_at is 'Time of the earliest event that names the customer';
comment on column projection.customers.last_seen_at is 'Time of the latest event that names the customer';
-- Hash indexes: these texts are the merchant's own and of any length, and a btree entry must stay below 2.7 kB.
create index customers_source_id on projection.customers using hash (source_id);

create table projection.cards (
  card_id text collate "C" not null,
  code text,
  campaign_id text,
  campaign text,
  customer_id text collate "C",
  active boolean,
  deleted_at timestamptz,
  field_times jsonb not null,
  holders jsonb not null,
  -- numeric: a movement fits an int8, and the sum of any number of them must not stop a projection.
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
  pending_unexplained numeric not null,
  movements bigint not null,
  first_movement_at timestamptz,
  last_movement_at timestamptz,
  balance_stated_at timestamptz,
  constraint cards_pkey primary key (card_id),
  constraint cards_field_times_object check (jsonb_typeof(field_times) = 'object'),
  constraint cards_holders_array check (jsonb_typeof(holders) = 'array'),
  constraint cards_movements_range check (movements >= 0),
  constraint cards_balance_ties check (balance = opening + earned + refunded - spent - expired + adjusted + transferred + unexplained)
) with (fillfactor = 80);
comment on table projection.cards is 'Loyalty cards with their folded sums. The check constraint on the balance is invariant 8';
comment on column projection.cards.card_id is 'The provider''s id';
comment on column projection.cards.code is 'What is printed on the card';
comment on column projection.cards.campaign_id is 'The loyalty programme';
comment on column projection.cards.campaign is 'The name of the programme as last observed';
comment on column projection.cards.customer_id is 'The holder; null: nobody holds it';
comment on column projection.cards.active is 'Whether the provider lets it be used; null where never observed';
comment on column projection.cards.deleted_at is 'When the provider deleted it; its history stays';
comment on column projection.cards.field_times is 'By field, the time of the observation that set it, as in customers';
comment on column projection.cards.holders is 'For each customer ever observed as holder, when last observed to hold it and to have released it: [{"customer_id": "…", "held_at": "…", "released_at": null}]';
comment on column projection.cards.balance is 'Available points';
comment on column projection.cards.opening is 'Points at its creation where observed, else those before the first known movement: by the first balance that the provider states, less what moved until then';
comment on column projection.cards.earned is 'Points earned under earning rules';
comment on column projection.cards.spent is 'Points redeemed';
comment on column projection.cards.refunded is 'Points given back by rolled-back redemptions';
comment on column projection.cards.expired is 'Points expired';
comment on column projection.cards.adjusted is 'Signed: points added and removed by hand';
comment on column projection.cards.transferred is 'Signed: points moved between cards';
comment on column projection.cards.unexplained is 'Signed: what the provider''s balances show beyond the known movements';
comment on column projection.cards.pending is 'Points promised and not yet available; not part of balance';
comment on column projection.cards.pending_unexplained is 'Signed: of pending, what the provider''s totals show beyond the known lots';
comment on column projection.cards.movements is 'How many movements are known; opening and unexplained lines do not count';
comment on column projection.cards.first_movement_at is 'When the first known movement happened';
comment on column projection.cards.last_movement_at is 'When the last known movement happened';
comment on column projection.cards.balance_stated_at is 'The newest time at which the provider''s own figure for the balance is known; null: nobody ever stated one, and the balance is only the sum of the known movements';
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
  observed_balance bigint,
  occurred_at timestamptz not null,
  recorded_at timestamptz not null,
  order_id text,
  earning_rule_id text,
  holder_id text,
  details json,
  fact_digest bytea not null,
  constraint movement_observations_pkey primary key (movement_id, card_id, event_id, subject),
  constraint movement_observations_source_rank_range check (source_rank between 0 and 4),
  constraint movement_observations_kind_known check (kind in ('opening', 'accrual', 'redemption', 'refund', 'expiration', 'addition', 'removal', 'transfer_in', 'transfer_out')),
  constraint movement_observations_fact_digest_length check (octet_length(fact_digest) = 32)
);
comment on table projection.movement_observations is 'What each event states of a movement. All are kept, not only what they merge to: what was known at a time is the fold of the observations recorded by then.';
comment on column projection.movement_observations.movement_id is 'The movement';
comment on column projection.movement_observations.card_id is 'The card whose points moved';
comment on column projection.movement_observations.event_id is 'With subject: the event that states it';
comment on column projection.movement_observations.subject is 'With event_id';
comment on column projection.movement_observations.source_rank is 'How good the source is: 4 row of the provider''s card ledger, 3 the same out of an export, 2 enveloped event, 1 bare data, 0 price list. The higher rank wins, field by field';
comment on column projection.movement_observations.kind is 'What happened to the points';
comment on column projection.movement_observations.points is 'Signed; null where the event does not state how many';
comment on column projection.movement_observations.reported_balance is 'The card''s balance after the movement as the provider states it; null where it states none';
comment on column projection.movement_observations.observed_balance is 'The balance after it by a snapshot of the card in the same event, dated at the movement; null where there is none. It counts where no event states a balance';
comment on column projection.movement_observations.occurred_at is 'When it happened at the provider';
comment on column projection.movement_observations.recorded_at is 'When we first stored the event';
comment on column projection.movement_observations.order_id is 'The order behind it, where there is one';
comment on column projection.movement_observations.earning_rule_id is 'The earning rule behind an accrual';
comment on column projection.movement_observations.holder_id is 'Who held the card, where the event states it';
comment on column projection.movement_observations.details is 'What else explains the movement: the provider''s row, a reason, expired buckets';
comment on column projection.movement_observations.fact_digest is 'That of the event';
-- For what was known at a time: which movements of a card were observed later.
create index movement_observations_recorded_at on projection.movement_observations (card_id, recorded_at);

create table projection.card_snapshots (
  card_id text collate "C" not null,
  figure text not null,
  occurred_at timestamptz not null,
  points numeric not null,
  recorded_at timestamptz not null,
  event_id text collate "C" not null,
  subject text collate "C" not null,
  constraint card_snapshots_pkey primary key (card_id, figure, occurred_at, points),
  constraint card_snapshots_figure_known check (figure in ('balance', 'pending'))
);
comment on table projection.card_snapshots is 'What the provider showed of cards as of a time, beside the movements that events state. One row for all events that show the same.';
comment on column projection.card_snapshots.card_id is 'The card';
comment on column projection.card_snapshots.figure is 'balance: its available points; pending: its pending points, of all lots together';
comment on column projection.card_snapshots.occurred_at is 'As of when: the card''s last change, as the provider dates it';
comment on column projection.card_snapshots.points is 'The figure';
comment on column projection.card_snapshots.recorded_at is 'When we first stored an event that shows it';
comment on column projection.card_snapshots.event_id is 'With subject: that event';
comment on column projection.card_snapshots.subject is 'With event_id';

create table projection.pending_observations (
  pending_id text collate "C" not null,
  card_id text collate "C" not null,
  event_id text collate "C" not null,
  subject text collate "C" not null,
  state text not null,
  points bigint not null,
  activates_on date,
  occurred_at timestamptz not null,
  recorded_at timestamptz not null,
  order_id text,
  earning_rule_id text,
  holder_id text,
  constraint pending_observations_pkey primary key (card_id, pending_id, event_id, subject),
  constraint pending_observations_state_known check (state in ('added', 'updated', 'activated', 'canceled'))
);
comment on table projection.pending_observations is 'Every observed state of each lot of pending points. The newest one states what is outstanding; a lot that ended stays ended.';
comment on column projection.pending_observations.pending_id is 'The lot of points';
comment on column projection.pending_observations.card_id is 'The card that they are for';
comment on column projection.pending_observations.event_id is 'With subject: the event that states it';
comment on column projection.pending_observations.subject is 'With event_id';
comment on column projection.pending_observations.state is 'added, updated, activated or canceled; the last two end the lot';
comment on column projection.pending_observations.points is 'Outstanding points after it; 0 once the lot has ended';
comment on column projection.pending_observations.activates_on is 'The day on which they become available, in the time zone of the provider''s project';
comment on column projection.pending_observations.occurred_at is 'When it happened at the provider';
comment on column projection.pending_observations.recorded_at is 'When we first stored the event';
comment on column projection.pending_observations.order_id is 'The order behind it, where there is one';
comment on column projection.pending_observations.earning_rule_id is 'The earning rule behind it';
comment on column projection.pending_observations.holder_id is 'Who held the card, where the event states it';

create table projection.holdings (
  customer_id text collate "C" not null,
  card_id text collate "C" not null,
  constraint holdings_pkey primary key (customer_id, card_id)
);
comment on table projection.holdings is 'Which customers ever held which card. Who holds it now is in cards, who held it when in the observations';
comment on column projection.holdings.customer_id is 'The customer';
comment on column projection.holdings.card_id is 'The card';

create table projection.holder_observations (
  card_id text collate "C" not null,
  customer_id text collate "C" not null,
  held boolean not null,
  occurred_at timestamptz not null,
  recorded_at timestamptz not null,
  event_id text collate "C" not null,
  subject text collate "C" not null,
  constraint holder_observations_pkey primary key (card_id, customer_id, held, event_id, subject)
);
comment on table projection.holder_observations is 'Observations of a card''s holder by events that state neither a movement nor pending points: the rows of those state the holder themselves';
comment on column projection.holder_observations.card_id is 'The card';
comment on column projection.holder_observations.customer_id is 'Who holds or released it';
comment on column projection.holder_observations.held is 'true: holds it; false: released it';
comment on column projection.holder_observations.occurred_at is 'When it happened at the provider';
comment on column projection.holder_observations.recorded_at is 'When we first stored the event';
comment on column projection.holder_observations.event_id is 'With subject: the event that states it';
comment on column projection.holder_observations.subject is 'With event_id';

create table projection.tier_changes (
  customer_id text collate "C" not null,
  campaign_id text collate "C" not null,
  event_id text collate "C" not null,
  subject text collate "C" not null,
  change text not null,
  tier_id text,
  tier text,
  from_tier_id text,
  from_tier text,
  occurred_at timestamptz not null,
  recorded_at timestamptz not null,
  constraint tier_changes_pkey primary key (customer_id, campaign_id, event_id, subject),
  constraint tier_changes_change_known check (change in ('joined', 'upgraded', 'downgraded', 'prolonged', 'left'))
);
comment on table projection.tier_changes is 'Every observed step of a customer between the tiers of a loyalty programme';
comment on column projection.tier_changes.customer_id is 'The customer';
comment on column projection.tier_changes.campaign_id is 'The loyalty programme';
comment on column projection.tier_changes.event_id is 'With subject: the event that states it';
comment on column projection.tier_changes.subject is 'With event_id';
comment on column projection.tier_changes.change is 'joined, upgraded, downgraded, prolonged or left';
comment on column projection.tier_changes.tier_id is 'The tier afterwards; null after leaving';
comment on column projection.tier_changes.tier is 'Its name';
comment on column projection.tier_changes.from_tier_id is 'The tier before, where the event states it';
comment on column projection.tier_changes.from_tier is 'Its name';
comment on column projection.tier_changes.occurred_at is 'When it happened at the provider';
comment on column projection.tier_changes.recorded_at is 'When we first stored the event';

create table projection.expirations (
  bucket_id text collate "C" not null,
  card_id text collate "C" not null,
  campaign_id text collate "C",
  status text collate "C" not null,
  points bigint,
  expires_on date,
  as_of timestamptz not null,
  event_id text collate "C" not null,
  subject text collate "C" not null,
  constraint expirations_pkey primary key (bucket_id),
  constraint expirations_status_given check (status <> '')
);
create index expirations_card on projection.expirations (card_id);
comment on table projection.expirations is 'Buckets of points that expire together: of each the newest observed state';
comment on column projection.expirations.bucket_id is 'The provider''s bucket, lopb_…';
comment on column projection.expirations.card_id is 'The card whose points they are';
comment on column projection.expirations.campaign_id is 'The loyalty programme';
comment on column projection.expirations.status is 'As the provider writes it: ACTIVE or EXPIRED';
comment on column projection.expirations.points is 'How many are left in it, or expired with it; null where that was not stated';
comment on column projection.expirations.expires_on is 'The day on which they expire, in the time zone of the provider''s project';
comment on column projection.expirations.as_of is 'When it was so: of an export when its file was written';
comment on column projection.expirations.event_id is 'With subject: the event that states it';
comment on column projection.expirations.subject is 'With event_id';

create table projection.unread_types (
  type text collate "C" not null,
  events bigint not null,
  constraint unread_types_pkey primary key (type)
);
comment on table projection.unread_types is 'How many events are stored of each type that nobody reads';
comment on column projection.unread_types.type is 'The type of the events';
comment on column projection.unread_types.events is 'How many are stored, test deliveries not counted';

create table projection.statement_lines (
  card_id text collate "C" not null,
  occurred_at timestamptz not null,
  ordinal integer not null,
  movement_id text collate "C" not null,
  kind text not null,
  points numeric not null,
  balance numeric not null,
  reported_balance numeric,
  observed boolean not null,
  dated_at timestamptz,
  exact boolean not null,
  recorded_at timestamptz not null,
  order_id text,
  earning_rule_id text,
  event_id text,
  running_totals jsonb,
  constraint statement_lines_pkey primary key (card_id, occurred_at, ordinal),
  constraint statement_lines_ordinal_range check (ordinal >= 0),
  constraint statement_lines_kind_known check (kind in ('opening', 'accrual', 'redemption', 'refund', 'expiration', 'addition', 'removal', 'transfer_in', 'transfer_out', 'unexplained')),
  constraint statement_lines_running_totals_object check (jsonb_typeof(running_totals) = 'object')
);
comment on table projection.statement_lines is 'The statement of each card: movements in order with the running balance, unexplained lines between them';
comment on column projection.statement_lines.card_id is 'The card';
comment on column projection.statement_lines.occurred_at is 'When it happened at the provider';
comment on column projection.statement_lines.ordinal is 'Place among the lines of one card at one time';
comment on column projection.statement_lines.movement_id is 'The movement, however many events state it';
comment on column projection.statement_lines.kind is 'What happened to the points; unexplained: the provider''s balances show points beyond the known movements';
comment on column projection.statement_lines.points is 'Signed change of the available points';
comment on column projection.statement_lines.balance is 'Running balance after the line';
comment on column projection.statement_lines.reported_balance is 'The card''s balance after it as the provider states it; null where it states none';
comment on column projection.statement_lines.observed is 'True: the reported balance is that of a snapshot of the card, dated at the movement, which itself states none';
comment on column projection.statement_lines.dated_at is 'The time that its events state, where the balances around it put it at another one, within seconds; else null';
comment on column projection.statement_lines.exact is 'Whether its time is that of the change itself, and not that of a trigger or of a send-out';
comment on column projection.statement_lines.recorded_at is 'When we first stored an event that states it';
comment on column projection.statement_lines.order_id is 'The order behind it, where there is one';
comment on column projection.statement_lines.earning_rule_id is 'The earning rule behind an accrual';
comment on column projection.statement_lines.event_id is 'The event of the best source';
comment on column projection.statement_lines.running_totals is 'At every 256th movement, the sums of the card''s lines up to this one, as texts of decimals: {"earned": "120", …, "movements": "256"}; else null. They bound what a question about a past date adds up: without them 26 ms for the first days of a card with 100,000 movements';
create index statement_lines_movement_id on projection.statement_lines (movement_id, card_id);
-- Small, since one line in 256 has running totals.
create index statement_lines_running_totals on projection.statement_lines (card_id, occurred_at, ordinal) where running_totals is not null;

create table projection.orders (
  order_id text collate "C" not null,
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
  state_digest bytea not null,
  constraint orders_pkey primary key (order_id),
  constraint orders_status_given check (status <> ''),
  constraint orders_status_rank_range check (status_rank between -1 and 3),
  constraint orders_state_digest_length check (octet_length(state_digest) = 32)
);
comment on table projection.orders is 'The newest observed state of each order, by (updated_at, status_rank, state_digest)';
comment on column projection.orders.order_id is 'The provider''s id';
comment on column projection.orders.customer_id is 'Who ordered';
comment on column projection.orders.source_id is 'The merchant''s own id of the order';
comment on column projection.orders.status is 'CREATED, PAID, FULFILLED or CANCELED; whatever else the provider says is kept as it is';
comment on column projection.orders.amount is 'Before discounts, in minor units of a currency that the order does not state';
comment on column projection.orders.initial_amount is 'Before the provider changed items';
comment on column projection.orders.discount_amount is 'Discount on the order; null when there was none';
comment on column projection.orders.items_discount_amount is 'Discount on items; null when there was none';
comment on column projection.orders.total_discount_amount is 'All discounts; null when there was none';
comment on column projection.orders.total_amount is 'After discounts';
comment on column projection.orders.items is 'JSON as received, keys sorted';
comment on column projection.orders.metadata is 'JSON as received, keys sorted';
comment on column projection.orders.created_at is 'When it was made at the provider';
comment on column projection.orders.updated_at is 'Time of this state at the provider';
comment on column projection.orders.placed_at is 'created_at, else updated_at: a history is sorted by it';
comment on column projection.orders.status_rank is 'Which of two states of one updated_at is newer: 0 CREATED, 1 PAID, 2 FULFILLED, 3 CANCELED, -1 any other';
comment on column projection.orders.state_digest is 'sha256 of the state: decides between two of one updated_at and rank';
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
  constraint order_states_pkey primary key (order_id, updated_at, status_rank, state_digest),
  constraint order_states_status_given check (status <> ''),
  constraint order_states_status_rank_range check (status_rank between -1 and 3),
  constraint order_states_state_digest_length check (octet_length(state_digest) = 32)
);
comment on table projection.order_states is 'Every state in which an order was observed; event_id and subject name the earliest event that states it';
comment on column projection.order_states.order_id is 'The order';
comment on column projection.order_states.updated_at is 'As in orders, like all columns that are not explained here';
comment on column projection.order_states.status_rank is 'As in orders';
comment on column projection.order_states.state_digest is 'As in orders';
comment on column projection.order_states.status is 'As in orders';
comment on column projection.order_states.customer_id is 'As in orders';
comment on column projection.order_states.source_id is 'As in orders';
comment on column projection.order_states.amount is 'As in orders';
comment on column projection.order_states.initial_amount is 'As in orders';
comment on column projection.order_states.discount_amount is 'As in orders';
comment on column projection.order_states.items_discount_amount is 'As in orders';
comment on column projection.order_states.total_discount_amount is 'As in orders';
comment on column projection.order_states.total_amount is 'As in orders';
comment on column projection.order_states.items is 'As in orders';
comment on column projection.order_states.metadata is 'As in orders';
comment on column projection.order_states.created_at is 'As in orders';
comment on column projection.order_states.recorded_at is 'When we first stored that event';
comment on column projection.order_states.event_id is 'With subject: the earliest event that states it';
comment on column projection.order_states.subject is 'With event_id';

create table projection.checkpoints (
  projection text not null,
  version integer not null,
  shard smallint not null,
  position bigint not null default 0,
  updated_at timestamptz not null default clock_timestamp(),
  -- Without the version: one version of a projection has the rows, and no other folds into them.
  constraint checkpoints_pkey primary key (projection, shard),
  constraint checkpoints_version_range check (version > 0),
  constraint checkpoints_position_range check (position >= 0),
  constraint checkpoints_shard_fkey foreign key (shard) references ledger.shards
) with (fillfactor = 20);
comment on table projection.checkpoints is 'The position in each shard up to which a projection has folded the events. Committed together with the rows.';
comment on column projection.checkpoints.projection is 'The projection';
comment on column projection.checkpoints.version is 'The version of its rules by which the rows were folded';
comment on column projection.checkpoints.shard is 'The shard';
comment on column projection.checkpoints.position is 'The last position that was folded; 0: none';
comment on column projection.checkpoints.updated_at is 'When it was moved last';

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
  constraint parked_pkey primary key (projection, key),
  constraint parked_shard_range check (shard >= 0),
  constraint parked_position_range check (position > 0),
  constraint parked_code_known check (code in ('event_unreadable', 'fold_failed')),
  constraint parked_tries_range check (tries > 0)
);
comment on table projection.parked is 'Cards, orders and customers that are held back because an event about them could not be folded. All others go on.';
comment on column projection.parked.projection is 'The projection whose fold failed';
comment on column projection.parked.key is 'card:…, order:…, customer:… or tier:… that is held back; event:… for what an unreadable event states beside those';
comment on column projection.parked.shard is 'With position: the first event that could not be folded';
comment on column projection.parked.position is 'With shard';
comment on column projection.parked.event_id is 'With subject: that event';
comment on column projection.parked.subject is 'With event_id';
comment on column projection.parked.code is 'event_unreadable or fold_failed';
comment on column projection.parked.reason is 'Why, as of the last try';
comment on column projection.parked.parked_at is 'Since when it is held back; null in answers about a card or an order means that it is not';
comment on column projection.parked.tries is 'How often the fold was tried';
comment on column projection.parked.last_tried_at is 'When it was tried last';

create table projection.waiting (
  projection text not null,
  key text collate "C" not null,
  shard smallint not null,
  position bigint not null,
  constraint waiting_pkey primary key (projection, key, shard, position),
  constraint waiting_shard_range check (shard >= 0),
  constraint waiting_position_range check (position > 0)
);
comment on table projection.waiting is 'The events that wait for a parked key, the failed one included. A redrive folds them in order.';
comment on column projection.waiting.projection is 'The projection';
comment on column projection.waiting.key is 'The key in parked';
comment on column projection.waiting.shard is 'With position: the event';
comment on column projection.waiting.position is 'With shard';

grant usage on schema projection to ledger_service;
grant select, insert, update, delete on all tables in schema projection to ledger_service;
revoke delete on projection.checkpoints from ledger_service;

-- reporting: what people read in SQL. Views only, each column explained, stable from release to release (CHANGELOG).
-- They run with the rights of their owner, so a reader of these views sees nothing else. The views are in views/.

create schema reporting;
comment on schema reporting is 'The ledger for people and reports. Views only; changes are announced in the CHANGELOG.';
grant usage on schema reporting to ledger_reader, ledger_service;

-- Down Migration

drop schema reporting cascade;
drop schema if exists projection_build cascade;
drop schema projection cascade;
drop schema ledger cascade;
-- The roles belong to the cluster and other ledgers may use them: they stay.

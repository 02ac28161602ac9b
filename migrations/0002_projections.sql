-- Up Migration

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
  clocks json not null,
  first_seen_at timestamptz,
  last_seen_at timestamptz
);
comment on table projection.customers is 'The newest told value of each profile field, field by field';
comment on column projection.customers.clocks is 'For each field [occurred_at, fact key] of the observation that set it: what a later one must beat';
-- Hash indexes: these texts are the merchant's own and of any length, and a btree entry must stay under 2.7 kB.
create index customers_source_id on projection.customers using hash (source_id);

create table projection.cards (
  card_id text collate "C" primary key,
  code text,
  campaign_id text,
  campaign text,
  customer_id text collate "C",
  clocks json not null,
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
create index cards_customer_id on projection.cards (customer_id, card_id);
create index cards_code on projection.cards using hash (code);

create table projection.sightings (
  movement_id text collate "C" not null,
  card_id text collate "C" not null,
  event_id text collate "C" not null,
  subject text collate "C" not null,
  informed smallint not null,
  kind text not null,
  points bigint not null,
  reported_balance bigint,
  occurred_at timestamptz not null,
  recorded_at timestamptz not null,
  order_id text,
  earning_rule_id text,
  fact_digest bytea not null,
  primary key (movement_id, card_id, event_id, subject)
);
comment on table projection.sightings is 'Each telling of a movement by an event. Kept, not only their merger: what was known at a time is the fold of the sightings recorded by then.';
comment on column projection.sightings.informed is 'How well informed the source is: 3 transaction, 2 enveloped event, 1 bare data; the better one wins field by field';

create table projection.lines (
  card_id text collate "C" not null,
  occurred_at timestamptz not null,
  tie integer not null,
  movement_id text collate "C" not null,
  kind text not null,
  points numeric not null,
  balance numeric not null,
  reported_balance numeric,
  recorded_at timestamptz not null,
  order_id text,
  earning_rule_id text,
  event_id text,
  primary key (card_id, occurred_at, tie)
);
comment on table projection.lines is 'A card''s statement: movements in order with the running balance, unexplained lines in place';
comment on column projection.lines.tie is 'Place among the lines of one card at one time';
create index lines_movement_id on projection.lines (movement_id, card_id);

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

grant usage on schema projection to ledger_service;
grant select, insert, update, delete on all tables in schema projection to ledger_service;

-- Down Migration

drop schema projection cascade;

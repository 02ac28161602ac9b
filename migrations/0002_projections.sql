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
  primary key (card_id, occurred_at, ordinal)
);
comment on table projection.statement_lines is 'A card''s statement: movements in order with the running balance, unexplained lines in place';
comment on column projection.statement_lines.ordinal is 'Place among the lines of one card at one time';
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

grant usage on schema projection to ledger_service;
grant select, insert, update, delete on all tables in schema projection to ledger_service;

-- Down Migration

drop schema projection cascade;

-- Up Migration

-- The event store: the append-only log, the shard heads that give positions, what could not be
-- used, and where each projection stands. Everything else in the database can be made again from it.

create schema ledger;
comment on schema ledger is 'Internal. The append-only event log and its bookkeeping. Read it through reporting or the HTTP API.';

-- Roles belong to the cluster, not to the database: another ledger beside this one may have made them, and this login
-- need not be the one that did. Where it may not create roles or join them, whoever may has to: docs/operations.md.
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
    -- A login that may create roles is not a superuser: it must be a member of a role to take it on (set role).
    if not pg_has_role(current_user, role, 'member') then
      begin
        execute format('grant %I to %I', role, current_user);
      exception when insufficient_privilege then
        raise warning 'this login may not grant % to itself; the service cannot take the role on until someone does', role;
      end;
    end if;
  end loop;
end $$;

create table ledger.shards (
  shard smallint primary key check (shard >= 0),
  head bigint not null default 0 check (head >= 0),
  chain bytea not null default decode(repeat('00', 32), 'hex') check (length(chain) = 32)
) with (fillfactor = 20);
comment on table ledger.shards is 'One row a shard; their number is fixed when the database is created. The row lock orders commits: a reader that has seen position n has seen all before n.';
comment on column ledger.shards.head is 'The newest position of the shard; 0 when it is empty';
comment on column ledger.shards.chain is 'The chain value of the newest event; 32 zero bytes when the shard is empty';

create table ledger.events (
  event_id text collate "C" not null check (event_id <> ''),
  subject text collate "C" not null check (subject <> ''),
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
  primary key (event_id, subject),
  constraint events_shard_position_key unique (shard, position)
);
comment on table ledger.events is 'Facts the provider told us, each stored once, for ever. Append-only: by privilege for the service, by trigger for everyone.';
comment on column ledger.events.subject is 'What the event is about, as a natural key; keeps apart facts that share an event id';
comment on column ledger.events.position is 'Place in the shard: 1, 2, 3 … without holes, in commit order';
comment on column ledger.events.occurred_at is 'When it happened at the provider; null where a type we do not know carries no time';
comment on column ledger.events.recorded_at is 'When we first stored it (recorded_at in answers)';
comment on column ledger.events.test is 'A test delivery of the provider (all-zero ids): kept, never projected';
comment on column ledger.events.body is 'The JSON exactly as received: json, not jsonb, because it is the evidence';
comment on column ledger.events.body_bytes is 'Size of the body as received; what is stored may be compressed a hundredfold';
comment on column ledger.events.body_digest is 'sha256 of the body bytes';
comment on column ledger.events.fact_digest is 'sha256 of the facts about the subject, canonical: same key and other facts is a conflict';
comment on column ledger.events.chain is 'sha256(chain of the position before || ledger.chain_link(…))';

-- Append-only for everyone, owner and superuser included. "always": also where session_replication_role is replica.
create function ledger.refuse_change () returns trigger language plpgsql as $$
begin
  raise exception 'ledger.% is append-only: % is refused', tg_table_name, tg_op
    using errcode = 'insufficient_privilege',
          hint = 'Stored events never change or vanish. A wrong event is answered by a later one, never by an edit.';
end $$;
create trigger append_only before update or delete or truncate on ledger.events
  for each statement execute function ledger.refuse_change();
alter table ledger.events enable always trigger append_only;

-- The chain: anyone can recompute it from the rows (docs/architecture.md says how).
create function ledger.chain_link (shard smallint, "position" bigint, event_id text, subject text, body_digest bytea)
returns bytea immutable strict parallel safe language sql as $$
  select int4send(2) || int2send(shard)
      || int4send(8) || int8send(position)
      || int4send(octet_length(convert_to(event_id, 'UTF8'))) || convert_to(event_id, 'UTF8')
      || int4send(octet_length(convert_to(subject, 'UTF8'))) || convert_to(subject, 'UTF8')
      || int4send(octet_length(body_digest)) || body_digest
$$;
comment on function ledger.chain_link is 'What one event adds to the chain: shard, position, event_id, subject and body_digest, each preceded by its length as int4';

create function ledger.chain_step (state bytea, before bytea, link bytea)
returns bytea immutable parallel safe language plpgsql as $$
begin
  return sha256(coalesce(state, before) || link);
end $$;
create aggregate ledger.chain_over (before bytea, link bytea) (sfunc = ledger.chain_step, stype = bytea);
comment on aggregate ledger.chain_over(bytea, bytea) is 'The chain value after links taken in order, beginning from the value before the first of them';

-- Append. One call is one round trip and, run on its own, one transaction.
--   records  one record an event, separated by U+001E; its fields, in the order below, by U+001F:
--            event_id, subject, shard, type, customer_id, occurred_at, send_out_id, sender_kind, sender_id, group_id,
--            project_id, channel, fact_digest (hex), test
--   bodies   the JSON bodies in the same order, separated by U+001E
-- Neither separator can occur in a valid JSON text, and the identity rules refuse ids that contain control characters.
-- One text parameter instead of an array of bodies: array literals escape each quote twice (110 → 25 µs of client CPU a row).
create function ledger.append (records text, bodies text)
returns table (ordinal integer, outcome text, shard smallint, "position" bigint)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
-- The plan must not depend on statistics: on a table that was never analysed "is it stored already?" became a scan of the log.
set enable_seqscan = off
set enable_bitmapscan = off
-- Before PostgreSQL 18 a disabled plan node counts as very dear, and what is dear gets compiled.
set jit = off
as $$
#variable_conflict use_column
declare
  touched smallint[];
  locked integer;
begin
  if (select count(*) from string_to_table(records, e'\x1e')) <> (select count(*) from string_to_table(bodies, e'\x1e')) then
    raise exception 'records and bodies do not pair: a separator stands inside a field' using errcode = 'invalid_parameter_value';
  end if;
  touched := array(select distinct split_part(r, e'\x1f', 3)::smallint from string_to_table(records, e'\x1e') as r);
  -- Always in the same order, so that two appends cannot wait for each other.
  perform 1 from ledger.shards s where s.shard = any (touched) order by s.shard for update;
  get diagnostics locked = row_count;
  if locked <> cardinality(touched) then
    raise exception 'a record names a shard that does not exist' using errcode = 'invalid_parameter_value';
  end if;

  -- A new statement takes a new snapshot: it sees all that was committed before the locks were ours.
  return query
  with input as materialized (
    select r.ordinal::integer as ordinal, string_to_array(r.record, e'\x1f') as f, r.body
    from rows from (string_to_table(records, e'\x1e'), string_to_table(bodies, e'\x1e')) with ordinality as r (record, body, ordinal)
  ), named as (
    select i.ordinal, i.f[1] as event_id, i.f[2] as subject, i.f[3]::smallint as shard,
           decode(i.f[13], 'hex') as fact_digest,
           row_number() over (partition by i.f[1] collate "C", i.f[2] collate "C" order by i.ordinal) as sighting
    from input i
  ), looked_up as (
    select n.*, stored.shard as stored_shard, stored.position as stored_position, stored.fact_digest as stored_fact_digest,
           (stored.position is null and n.sighting = 1) as fresh
    from named n
    left join lateral (
      select e.shard, e.position, e.fact_digest
      from ledger.events e
      where e.event_id = n.event_id and e.subject = n.subject
      limit 1
    ) stored on true
  ), placed as materialized (
    select l.*, s.chain as chain_before,
           s.head + count(*) filter (where l.fresh) over (partition by l.shard order by l.ordinal) as next_position
    from looked_up l
    join ledger.shards s on s.shard = l.shard
  ), settled as materialized (
    -- A second sighting of a key inside this call is measured against the first.
    select p.*,
           coalesce(p.stored_shard, first_value(p.shard) over same_key) as kept_shard,
           coalesce(p.stored_position, first_value(p.next_position) over same_key) as kept_position,
           coalesce(p.stored_fact_digest, first_value(p.fact_digest) over same_key) as kept_fact_digest
    from placed p
    window same_key as (partition by p.event_id collate "C", p.subject collate "C" order by p.ordinal)
  ), chained as materialized (
    select p.ordinal, p.event_id, p.subject, p.shard, p.next_position as position, i.f, i.body, p.fact_digest, d.body_digest,
           ledger.chain_over(p.chain_before, ledger.chain_link(p.shard, p.next_position, p.event_id, p.subject, d.body_digest))
             over (partition by p.shard order by p.next_position) as chain
    from placed p
    join input i on i.ordinal = p.ordinal
    cross join lateral (select sha256(convert_to(i.body, 'UTF8')) as body_digest) d
    where p.fresh
  ), inserted as (
    insert into ledger.events
      (event_id, subject, shard, position, type, customer_id, occurred_at, recorded_at, test,
       send_out_id, sender_kind, sender_id, group_id, project_id, channel, body, body_bytes, body_digest, fact_digest, chain)
    select c.event_id, c.subject, c.shard, c.position, c.f[4], nullif(c.f[5], ''), nullif(c.f[6], '')::timestamptz, clock_timestamp(), c.f[14]::boolean,
           nullif(c.f[7], ''), nullif(c.f[8], ''), nullif(c.f[9], ''), nullif(c.f[10], ''), nullif(c.f[11], ''), nullif(c.f[12], ''),
           c.body::json, octet_length(c.body), c.body_digest, c.fact_digest, c.chain
    from chained c
    order by c.event_id collate "C", c.subject collate "C"  -- one key order: two appends never deadlock on the index
  ), advanced as (
    update ledger.shards s
    set head = tip.position, chain = tip.chain
    from (
      select distinct on (c.shard) c.shard, c.position, c.chain from chained c order by c.shard, c.position desc
    ) tip
    where s.shard = tip.shard
  )
  select s.ordinal,
         case when s.fresh then 'accepted'
              when s.fact_digest = s.kept_fact_digest then 'duplicate'
              else 'conflict' end,
         s.kept_shard, s.kept_position
  from settled s
  order by s.ordinal;
end $$;
comment on function ledger.append is 'Stores events once each: gapless positions, chained digests; says for each accepted, duplicate or conflict, and at which position. The only way in.';

create table ledger.quarantine (
  quarantine_id bigint generated always as identity primary key,
  body bytea not null,
  body_digest bytea not null generated always as (sha256(body)) stored,
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
  constraint quarantine_body_digest_key unique (body_digest),
  constraint quarantine_decided check ((state = 'open') = (decided_at is null) and (state = 'open') = (decided_by is null)),
  constraint quarantine_discarded_for_a_reason check (state <> 'discarded' or discard_reason is not null)
);
comment on table ledger.quarantine is 'Authentic deliveries we cannot use yet, byte for byte. A retried one is one row. Rows and their bytes stay, whatever is decided.';
comment on column ledger.quarantine.reason is 'A stable code, e.g. not_json, unidentified, invalid_payload, conflict; of the newest reading while the row is open';
comment on column ledger.quarantine.event_id is 'With subject: the stored event that a conflicting delivery contradicts, or that a redriven one told';
comment on column ledger.quarantine.state is 'open: waits; redriven: its event is stored; discarded: a person said that it is not wanted';
comment on column ledger.quarantine.decided_at is 'When it was redriven or discarded';
comment on column ledger.quarantine.decided_by is 'Who did: an API key by id and name, or command line';
comment on column ledger.quarantine.discard_reason is 'Why it is not wanted, in the words of the person who decided';
create index quarantine_state on ledger.quarantine (state, quarantine_id);
create index quarantine_reason on ledger.quarantine (state, reason, quarantine_id);

create table ledger.checkpoints (
  projection text not null,
  version integer not null,
  shard smallint not null references ledger.shards,
  position bigint not null default 0 check (position >= 0),
  updated_at timestamptz not null default clock_timestamp(),
  primary key (projection, version, shard)
) with (fillfactor = 20);
comment on table ledger.checkpoints is 'Up to which position of each shard a projection has folded the events. Committed together with the rows it vouches for.';

create table ledger.api_keys (
  key_id text primary key,
  name text not null,
  scope text not null check (scope in ('read', 'operate')),
  token_digest bytea not null unique,
  created_at timestamptz not null default clock_timestamp(),
  revoked_at timestamptz
);
comment on table ledger.api_keys is 'Who may enter. Only sha256 digests of the tokens are kept: 256-bit random tokens need no slow hash.';

revoke all on all functions in schema ledger from public;
grant usage on schema ledger to ledger_service;
grant select on ledger.shards, ledger.events, ledger.quarantine, ledger.checkpoints, ledger.api_keys to ledger_service;
grant execute on function ledger.append, ledger.chain_link, ledger.chain_step, ledger.chain_over(bytea, bytea) to ledger_service;
-- Not body, not headers, no delete: what came in stays as it came.
grant insert (body, headers, reason, detail, event_id, subject),
      update (reason, detail, event_id, subject, last_seen_at, times_seen, state, decided_at, decided_by, discard_reason)
   on ledger.quarantine to ledger_service;
grant insert, update on ledger.checkpoints to ledger_service;
-- For readiness: are the migrations current?
grant select on public.ledger_migrations to ledger_service;

-- Down Migration

drop schema ledger cascade;
-- The roles belong to the cluster and other ledgers may use them: they stay.

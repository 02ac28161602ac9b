-- Up Migration

-- An event that comes back out of an export keeps the time at which it was first stored: what was known at a time must not
-- change because the ledger moved. The body of the append is one function for both, and who may say when is a matter of grants.

-- records and bodies as ledger.append documents them; received: the times, separated by U+001E, or null for now.
create function ledger.store_events (records text, bodies text, received text)
returns table (ordinal integer, outcome text, shard smallint, "position" bigint)
language plpgsql
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
  -- Beside the query, which so is no dearer for events of now.
  times text[] := string_to_array(received, e'\x1e');
begin
  -- Separators are counted by an expression, not by a query: what that saves pays for the call of this function.
  if (records = '') <> (bodies = '')
     or octet_length(records) - octet_length(replace(records, e'\x1e', '')) <> octet_length(bodies) - octet_length(replace(bodies, e'\x1e', ''))
     or (times is not null and cardinality(times) <> cardinality(string_to_array(records, e'\x1e'))) then
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
    select c.event_id, c.subject, c.shard, c.position, c.f[4], nullif(c.f[5], ''), nullif(c.f[6], '')::timestamptz, coalesce(times[c.ordinal]::timestamptz, clock_timestamp()), c.f[14]::boolean,
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
comment on function ledger.store_events is 'The body of ledger.append and ledger.restore. Nobody may call it but these two.';

create or replace function ledger.append (records text, bodies text)
returns table (ordinal integer, outcome text, shard smallint, "position" bigint)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return query select s.ordinal, s.outcome, s.shard, s.position from ledger.store_events(records, bodies, null) s;
end $$;
comment on function ledger.append is 'Stores events once each: gapless positions, chained digests; says for each accepted, duplicate or conflict, and at which position. The only way in for the service.';

create function ledger.restore (records text, bodies text, received text)
returns table (ordinal integer, outcome text, shard smallint, "position" bigint)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if received is null then
    raise exception 'an event that is restored says when it was first stored' using errcode = 'null_value_not_allowed';
  end if;
  return query select s.ordinal, s.outcome, s.shard, s.position from ledger.store_events(records, bodies, received) s;
end $$;
comment on function ledger.restore is 'As ledger.append, for events out of an export of a ledger: each keeps the time at which it was first stored. For the owner; not for the service.';

revoke all on function ledger.store_events (text, text, text), ledger.restore (text, text, text) from public;

-- Down Migration

drop function ledger.restore (text, text, text);

create or replace function ledger.append (records text, bodies text)
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

drop function ledger.store_events (text, text, text);

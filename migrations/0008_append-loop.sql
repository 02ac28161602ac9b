-- Up Migration

-- The append event by event. As one statement over a batch it took 0.6 ms before it stored anything, more than the storing for the
-- batches of ten that most traffic makes; a loop begins at once, and sees what it stored a moment before, so that the same key
-- twice in one call needs no rule of its own. Bodies come as json[], which the driver sends in its binary form: nothing searches
-- them for separators, and nothing copies them from one type to another.

-- It reads the encoding of the database: immutable it was not, and so it was never inlined (9 µs an event).
alter function ledger.chain_link (smallint, bigint, text, text, bytea) stable;

-- records and received as ledger.append documents them; received is null for now.
create function ledger.store_events (records text, bodies json[], received text)
returns table (ordinal integer, outcome text, shard smallint, "position" bigint)
language plpgsql
-- The plan must not depend on statistics: on a table that was never analysed "is it stored already?" became a scan of the log.
set enable_seqscan = off
set enable_bitmapscan = off
set plan_cache_mode = force_generic_plan
-- Before PostgreSQL 18 a disabled plan node counts as very dear, and what is dear gets compiled.
set jit = off
as $$
#variable_conflict use_variable
declare
  lines text[] := string_to_array(records, e'\x1e');
  times text[] := string_to_array(received, e'\x1e');
  -- Assigned, not used as they came: so an element is found without walking over those before it.
  texts json[] := bodies;
  line text;
  touched smallint[] := '{}';
  locked integer := 0;
  -- By shard: where it ends, as far as this call has come.
  heads bigint[];
  chains bytea[];
  tip record;
  f text[];
  bytes bytea;
  digest bytea;
  link bytea;
begin
  if cardinality(lines) <> cardinality(texts) or cardinality(times) <> cardinality(texts) then
    raise exception 'records and bodies do not pair: a separator stands inside a field' using errcode = 'invalid_parameter_value';
  end if;
  -- Here and below: expressions where they do, since a query costs more to begin than an event costs to look at.
  foreach line in array lines loop
    shard := split_part(line, e'\x1f', 3)::smallint;
    if not shard = any (touched) then touched := touched || shard; end if;
  end loop;
  -- Always in the same order, so that two appends cannot wait for each other.
  for tip in select s.shard, s.head, s.chain from ledger.shards s where s.shard = any (touched) order by s.shard for update loop
    heads[tip.shard] := tip.head;
    chains[tip.shard] := tip.chain;
    locked := locked + 1;
  end loop;
  if locked <> cardinality(touched) then
    raise exception 'a record names a shard that does not exist' using errcode = 'invalid_parameter_value';
  end if;

  for i in 1 .. cardinality(lines) loop
    f := string_to_array(lines[i], e'\x1f');
    ordinal := i;
    -- Looked up first: it spares what was told before, most of all, the work below. What another shard's append stores meanwhile
    -- is a violation of the key, and found at the next try.
    select e.shard, e.position, case when e.fact_digest = decode(f[13], 'hex') then 'duplicate' else 'conflict' end
    into shard, position, outcome
    from ledger.events e
    where e.event_id = f[1] and e.subject = f[2];
    if not found then
      shard := f[3]::smallint;
      position := heads[shard] + 1;
      outcome := 'accepted';
      bytes := convert_to(texts[i]::text, 'UTF8');
      digest := sha256(bytes);
      link := sha256(chains[shard] || ledger.chain_link(shard, position, f[1], f[2], digest));
      insert into ledger.events
        (event_id, subject, shard, position, type, customer_id, occurred_at, recorded_at, test,
         send_out_id, sender_kind, sender_id, group_id, project_id, channel, body, body_bytes, body_digest, fact_digest, chain)
      values (f[1], f[2], shard, position, f[4], nullif(f[5], ''), nullif(f[6], '')::timestamptz, coalesce(times[i]::timestamptz, clock_timestamp()), f[14]::boolean,
              nullif(f[7], ''), nullif(f[8], ''), nullif(f[9], ''), nullif(f[10], ''), nullif(f[11], ''), nullif(f[12], ''),
              texts[i], octet_length(bytes), digest, decode(f[13], 'hex'), link);
      heads[shard] := position;
      chains[shard] := link;
    end if;
    return next;
  end loop;

  update ledger.shards s set head = heads[s.shard], chain = chains[s.shard]
  where s.shard = any (touched) and s.head <> heads[s.shard];
end $$;
comment on function ledger.store_events(text, json[], text) is 'The body of ledger.append and ledger.restore. Nobody may call it but these.';

-- As with bodies in one text, but for their form.
create function ledger.append (records text, bodies json[])
returns table (ordinal integer, outcome text, shard smallint, "position" bigint)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return query select s.ordinal, s.outcome, s.shard, s.position from ledger.store_events(records, bodies, null) s;
end $$;
comment on function ledger.append(text, json[]) is 'Stores events once each: gapless positions, chained digests; says for each accepted, duplicate or conflict, and at which position. The only way in for the service.';

-- For services that were started before this migration, and for hands.
create or replace function ledger.append (records text, bodies text)
returns table (ordinal integer, outcome text, shard smallint, "position" bigint)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return query select s.ordinal, s.outcome, s.shard, s.position from ledger.store_events(records, string_to_array(bodies, e'\x1e')::json[], null) s;
end $$;
comment on function ledger.append(text, text) is 'As ledger.append(text, json[]), with the bodies as one text, separated by U+001E.';

create or replace function ledger.restore (records text, bodies text, received text)
returns table (ordinal integer, outcome text, shard smallint, "position" bigint)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if received is null then
    raise exception 'an event that is restored says when it was first stored' using errcode = 'null_value_not_allowed';
  end if;
  return query select s.ordinal, s.outcome, s.shard, s.position from ledger.store_events(records, string_to_array(bodies, e'\x1e')::json[], received) s;
end $$;

drop function ledger.store_events (text, text, text);
revoke all on function ledger.store_events (text, json[], text), ledger.append (text, json[]) from public;
grant execute on function ledger.append (text, json[]) to ledger_service;

-- Down Migration

-- As migration 0005 made them.
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
comment on function ledger.store_events(text, text, text) is 'The body of ledger.append and ledger.restore. Nobody may call it but these two.';
revoke all on function ledger.store_events (text, text, text) from public;

create or replace function ledger.append (records text, bodies text)
returns table (ordinal integer, outcome text, shard smallint, "position" bigint)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return query select s.ordinal, s.outcome, s.shard, s.position from ledger.store_events(records, bodies, null) s;
end $$;
comment on function ledger.append(text, text) is 'Stores events once each: gapless positions, chained digests; says for each accepted, duplicate or conflict, and at which position. The only way in for the service.';

create or replace function ledger.restore (records text, bodies text, received text)
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

drop function ledger.append (text, json[]);
drop function ledger.store_events (text, json[], text);
alter function ledger.chain_link (smallint, bigint, text, text, bytea) immutable;

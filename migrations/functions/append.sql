-- The append. records: one record an event, separated by U+001E; its fields by U+001F: event_id, subject, shard, type,
-- customer_id, occurred_at, send_out_id, sender_kind, sender_id, group_id, project_id, channel, fact_digest (hex), test, provider.

create or replace function ledger.store_events (records text, bodies json[], received text)
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
        (event_id, subject, provider, shard, position, type, customer_id, occurred_at, recorded_at, test,
         send_out_id, sender_kind, sender_id, group_id, project_id, channel, body, body_bytes, body_digest, fact_digest, chain)
      values (f[1], f[2], f[15], shard, position, f[4], nullif(f[5], ''), nullif(f[6], '')::timestamptz, coalesce(times[i]::timestamptz, clock_timestamp()), f[14]::boolean,
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
create or replace function ledger.append (records text, bodies json[])
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
comment on function ledger.restore(text, text, text) is 'As ledger.append, for events out of an export of a ledger: each keeps the time at which it was first stored. For the owner; not for the service.';

revoke all on function ledger.store_events (text, json[], text), ledger.restore (text, text, text),
  ledger.append (text, json[]), ledger.append (text, text) from public;
grant execute on function ledger.append (text, json[]), ledger.append (text, text) to ledger_service;

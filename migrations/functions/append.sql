-- The append: stores events once each, in one call, one round trip and, on its own, one transaction.
--
-- One array a column, all of one length; element i of each is event i. It loops over the events: as one statement over
-- a batch it took 0.6 ms before it stored anything, more than storing a batch of ten takes, and most traffic comes in
-- such batches. A loop also sees what it has stored a moment before, so a key that occurs twice in one call needs no
-- rule of its own.

-- recorded_ats: when each event was first stored; null: now.
create or replace function ledger.store_events (
  event_ids text[], subjects text[], shards smallint[], providers text[], types text[], customer_ids text[],
  occurred_ats timestamptz[], send_out_ids text[], sender_kinds text[], sender_ids text[], group_ids text[], project_ids text[],
  channels text[], fact_digests bytea[], tests boolean[], bodies json[], recorded_ats timestamptz[]
)
returns table (ordinal integer, outcome text, shard smallint, "position" bigint)
language plpgsql
-- The plan must not depend on statistics: on a table that was never analysed, the lookup of a key became a scan of the
-- log.
set enable_seqscan = off
set enable_bitmapscan = off
set plan_cache_mode = force_generic_plan
-- Before PostgreSQL 18 a disabled plan node makes a plan look expensive, and expensive plans are compiled.
set jit = off
as $$
#variable_conflict use_variable
declare
  events constant integer := cardinality(event_ids);
  touched smallint[] := '{}';
  locked integer := 0;
  -- By shard: the end of its log as this call has extended it.
  heads bigint[];
  chains bytea[];
  tip record;
  -- One event. A statement gets scalars, not elements of arrays: that is 1.07 to 1.09 times as fast.
  event_id text;
  subject text;
  provider text;
  type text;
  customer_id text;
  occurred_at timestamptz;
  recorded_at timestamptz;
  test boolean;
  send_out_id text;
  sender_kind text;
  sender_id text;
  group_id text;
  project_id text;
  channel text;
  body json;
  body_bytes integer;
  body_digest bytea;
  fact_digest bytea;
  link bytea;
  utf8 bytea;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'ledger.append runs in READ COMMITTED transactions only; this one is %', upper(current_setting('transaction_isolation'))
      using errcode = 'invalid_transaction_state',
            hint = 'A snapshot that is older than the lock on the shard would not show the events that others stored meanwhile.';
  end if;
  if (events = all (array[
    cardinality(subjects), cardinality(shards), cardinality(providers), cardinality(types), cardinality(customer_ids),
    cardinality(occurred_ats), cardinality(send_out_ids), cardinality(sender_kinds), cardinality(sender_ids),
    cardinality(group_ids), cardinality(project_ids), cardinality(channels), cardinality(fact_digests), cardinality(tests),
    cardinality(bodies), case when recorded_ats is null then events else cardinality(recorded_ats) end
  ])) is not true then
    raise exception 'the arrays of ledger.append are not of one length' using errcode = 'invalid_parameter_value';
  end if;
  -- Expressions rather than queries, here and below: starting a query costs more than an event does.
  foreach shard in array shards loop
    if not shard = any (touched) then touched := touched || shard; end if;
  end loop;
  -- Always in the same order, so that two appends never deadlock.
  for tip in select s.shard, s.head, s.chain from ledger.shards s where s.shard = any (touched) order by s.shard for update loop
    heads[tip.shard] := tip.head;
    chains[tip.shard] := tip.chain;
    locked := locked + 1;
  end loop;
  if locked <> cardinality(touched) then
    raise exception 'an event names a shard that does not exist' using errcode = 'invalid_parameter_value';
  end if;

  for i in 1 .. events loop
    ordinal := i;
    event_id := event_ids[i];
    subject := subjects[i];
    fact_digest := fact_digests[i];
    -- Looked up first: most deliveries that are not new end here. An event that another shard's append stores at the
    -- same moment violates the unique key, and the next try finds it.
    select e.shard, e.position, case when e.fact_digest = fact_digest then 'duplicate' else 'conflict' end
    into shard, position, outcome
    from ledger.events e
    where e.event_id = event_id and e.subject = subject;
    if not found then
      outcome := 'accepted';
      shard := shards[i];
      position := heads[shard] + 1;
      provider := providers[i];
      type := types[i];
      customer_id := customer_ids[i];
      occurred_at := occurred_ats[i];
      recorded_at := coalesce(recorded_ats[i], clock_timestamp());
      test := tests[i];
      send_out_id := send_out_ids[i];
      sender_kind := sender_kinds[i];
      sender_id := sender_ids[i];
      group_id := group_ids[i];
      project_id := project_ids[i];
      channel := channels[i];
      body := bodies[i];
      utf8 := convert_to(body::text, 'UTF8');
      body_bytes := octet_length(utf8);
      body_digest := sha256(utf8);
      link := sha256(chains[shard] || ledger.chain_link(shard, position, event_id, subject, body_digest));
      insert into ledger.events
        (event_id, subject, provider, shard, position, type, customer_id, occurred_at, recorded_at, test,
         send_out_id, sender_kind, sender_id, group_id, project_id, channel, body, body_bytes, body_digest, fact_digest, chain)
      values
        (event_id, subject, provider, shard, position, type, customer_id, occurred_at, recorded_at, test,
         send_out_id, sender_kind, sender_id, group_id, project_id, channel, body, body_bytes, body_digest, fact_digest, link);
      heads[shard] := position;
      chains[shard] := link;
    end if;
    return next;
  end loop;

  update ledger.shards s set head = heads[s.shard], chain = chains[s.shard]
  where s.shard = any (touched) and s.head <> heads[s.shard];
end $$;
comment on function ledger.store_events is 'The body of ledger.append and ledger.restore. Nobody may call it but these two.';

create or replace function ledger.append (
  event_ids text[], subjects text[], shards smallint[], providers text[], types text[], customer_ids text[],
  occurred_ats timestamptz[], send_out_ids text[], sender_kinds text[], sender_ids text[], group_ids text[], project_ids text[],
  channels text[], fact_digests bytea[], tests boolean[], bodies json[]
)
returns table (ordinal integer, outcome text, shard smallint, "position" bigint)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return query select s.ordinal, s.outcome, s.shard, s.position
  from ledger.store_events(event_ids, subjects, shards, providers, types, customer_ids, occurred_ats, send_out_ids, sender_kinds,
                           sender_ids, group_ids, project_ids, channels, fact_digests, tests, bodies, null) s;
end $$;
comment on function ledger.append is 'Stores events once each, with positions without gaps and chained digests. Returns for each event whether it was accepted, is a duplicate or a conflict, and its position. The only way in for the service.';

create or replace function ledger.restore (
  event_ids text[], subjects text[], shards smallint[], providers text[], types text[], customer_ids text[],
  occurred_ats timestamptz[], send_out_ids text[], sender_kinds text[], sender_ids text[], group_ids text[], project_ids text[],
  channels text[], fact_digests bytea[], tests boolean[], bodies json[], recorded_ats timestamptz[]
)
returns table (ordinal integer, outcome text, shard smallint, "position" bigint)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if recorded_ats is null or array_position(recorded_ats, null) is not null then
    raise exception 'a restored event needs the time at which it was first stored' using errcode = 'null_value_not_allowed';
  end if;
  return query select s.ordinal, s.outcome, s.shard, s.position
  from ledger.store_events(event_ids, subjects, shards, providers, types, customer_ids, occurred_ats, send_out_ids, sender_kinds,
                           sender_ids, group_ids, project_ids, channels, fact_digests, tests, bodies, recorded_ats) s;
end $$;
comment on function ledger.restore is 'As ledger.append, for events out of an export of a ledger: each keeps the time at which it was first stored. For the owner; not for the service.';

revoke all on function ledger.store_events, ledger.restore, ledger.append from public;
grant execute on function ledger.append to ledger_service;

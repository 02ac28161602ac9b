-- A second verifier of the log, for auditors who trust no program of ours: one query, with functions of PostgreSQL only.
-- PostgreSQL 15 to 18. It reads, and a login that may select from ledger.events and ledger.shards suffices:
--
--   psql "$DATABASE_URL" -f docs/verify.sql
--
-- Against an anchor that was kept outside the database. Its signature is checked first, without the database
-- (docs/operations.md says how); what is compared here is its first line:
--
--   psql "$DATABASE_URL" -c "set audit.anchor = '$(head -n 1 anchor.json)'" -f docs/verify.sql
--
-- One row a difference, with the codes of `loyalty-ledger verify`, and a last row SUMMARY. What is checked:
--
--   GAP, TRUNCATED      positions are 1 … head; the anchor's head is reached
--   CHAIN_MISMATCH      chain(n) = sha256(chain(n - 1) || link(n)), from the stored value before: one change is one difference
--   HEAD_MISMATCH       ledger.shards has the position and the chain value of the newest row
--   REWRITTEN           the chain value at the anchor's head is the one that was signed
--   DIGEST_MISMATCH     body_digest = sha256(body), but for erased bodies
--   ERASURE_UNVOUCHED   for those: the erasure event lists the sha256 of the body as it is now
--   SIZE_MISMATCH       body_bytes is the size of the body
--   IDENTITY_MISMATCH   the columns that the chain does not cover fit the body, as far as SQL can tell: the shard of the customer;
--                       what the envelope says; that customer and time stand in the body; test deliveries. The command reads
--                       bodies with the ledger's own rules and sees more: that the right one of several customers or times of a
--                       body was used, the type of data without an envelope, and fact_digest. A body with escapes of U+0000 or of
--                       surrogates, which PostgreSQL does not read, is not compared with its envelope here.
--   UNGUARDED           unique indexes keep positions and keys unique
--
-- Nothing covers recorded_at, and only the command checks provider. Without an anchor, neither this nor any other check sees a tail that was cut off with
-- its head, or a chain that was rewritten up to its head. It is one statement on one snapshot: on a large log run it on a replica.

with recursive anchor as materialized (
  select given.line ->> 'made_at' as made_at, (signed.head ->> 'shard')::smallint as shard, (signed.head ->> 'head')::bigint as head,
         decode(signed.head ->> 'chain', 'hex') as chain
  from (select nullif(current_setting('audit.anchor', true), '')::json as line) given
  cross join lateral json_array_elements(given.line -> 'shards') as signed (head)

-- Shards that have rows, whether or not ledger.shards knows them.
), present as (
  (select e.shard from ledger.events e order by e.shard limit 1)
  union all
  select (select e.shard from ledger.events e where e.shard > present.shard order by e.shard limit 1) from present where present.shard is not null
), heads as materialized (
  select k.shard, s.shard is not null as known, coalesce(s.head, 0) as head, s.chain,
         c.head as signed_head, c.chain as signed_chain, c.made_at
  from (select shard from ledger.shards union select shard from present where shard is not null union select shard from anchor) k
  left join ledger.shards s on s.shard = k.shard
  left join anchor c on c.shard = k.shard
), size as materialized (
  select count(*) as shards from ledger.shards

-- What erasure events say that bodies were redacted to.
), vouched as materialized (
  select distinct v.event_id as erased_by, listed.entry ->> 'event_id' as event_id, listed.entry ->> 'subject' as subject,
         listed.entry ->> 'body_digest' as body_digest
  from ledger.events v
  cross join lateral json_array_elements(
    case when v.type = 'ledger.customer.erased' and json_typeof(v.body -> 'data' -> 'erased') = 'array' then v.body -> 'data' -> 'erased' else '[]' end
  ) as listed (entry)
  where v.type = 'ledger.customer.erased'

-- All that needs a body, before anything is sorted: "offset 0" keeps bodies out of the sort.
), bodies as (
  select e.shard, e.position, e.event_id, e.subject, e.body_digest, e.chain, e.erased_by, e.body_bytes,
         sha256(convert_to(stored.text, 'UTF8')) as digest,
         octet_length(convert_to(stored.text, 'UTF8')) as bytes,
         concat_ws('; ', columns.differing, placed.differing, dated.differing, tested.differing) as differing
  from ledger.events e
  cross join size
  -- Decompressed once.
  cross join lateral (select e.body::text as text offset 0) as stored
  -- A body that PostgreSQL cannot read as JSON stays closed.
  cross join lateral json_to_record(
    case when strpos(stored.text, '\u0000') = 0 and strpos(stored.text, '\ud') = 0 and strpos(stored.text, '\uD') = 0 and json_typeof(e.body) = 'object' then e.body end
  ) as top (id json, object json, type json, data json, event json, source json, project_id json, webhook_id json)
  cross join lateral json_to_record(case when json_typeof(top.event) = 'object' then top.event end) as event (id json, type json, created_at json, group_id json, event_source json)
  cross join lateral json_to_record(case when json_typeof(top.source) = 'object' then top.source end) as source (id json, object json)
  cross join lateral json_to_record(case when json_typeof(event.event_source) = 'object' then event.event_source end) as event_source (channel json)
  cross join lateral (
    select case when top.data is null then null
                when top.object #>> '{}' = 'event' then 2018
                when json_typeof(top.event) = 'object' then 2024 end as year
  ) as envelope
  cross join lateral (
    select string_agg(format('%s is %s, the envelope says %s', c.name, coalesce(c.stored, 'null'), coalesce(c.says, 'nothing')), '; ') as differing
    from (
      select v.name, v.stored, case when json_typeof(v.said) = 'string' then v.said #>> '{}' end as says
      from (values
        ('event_id', e.event_id, case envelope.year when 2024 then event.id else top.id end, true),
        ('type', e.type, case envelope.year when 2024 then event.type else top.type end, true),
        ('send_out_id', e.send_out_id, case envelope.year when 2024 then top.id else top.webhook_id end, false),
        ('sender_kind', e.sender_kind, case envelope.year when 2024 then source.object else to_json('webhook'::text) end, false),
        ('sender_id', e.sender_id, case envelope.year when 2024 then source.id end, false),
        ('group_id', e.group_id, case envelope.year when 2024 then event.group_id end, false),
        ('project_id', e.project_id, top.project_id, false),
        ('channel', e.channel, case envelope.year when 2024 then event_source.channel end, false)
      ) as v (name, stored, said, kept)
      where v.kept or e.erased_by is null
    ) as c
    where envelope.year is not null and c.stored is distinct from c.says
      -- Ids that cannot be stored are left out, and an event of no usable type is called unknown.
      and (c.says is null or (c.says <> '' and octet_length(c.says) <= 256 and c.says !~ '[\x01-\x1f\x7f]') or c.stored is not null)
      and not (c.name = 'type' and c.stored = 'unknown')
  ) as columns
  cross join lateral (
    -- The first four bytes of the sha256 of what the shard is chosen by, big-endian, modulo the number of shards.
    select sha256(convert_to(coalesce(e.customer_id, case e.subject when '-' then e.event_id else e.subject end), 'UTF8')) as hash
  ) as key
  cross join lateral (
    select concat_ws('; ',
      case when e.shard <> (get_byte(key.hash, 0)::bigint * 16777216 + get_byte(key.hash, 1) * 65536 + get_byte(key.hash, 2) * 256 + get_byte(key.hash, 3)) % nullif(size.shards, 0)
        then format('customer_id %s does not belong into the shard', coalesce(e.customer_id, 'null')) end,
      case when e.customer_id ~ '^[A-Za-z0-9_-]+$' and strpos(stored.text, '"' || e.customer_id || '"') = 0 and stored.text !~ '\\u00[2-7]'
        then format('customer_id is %s, which the body does not name', e.customer_id) end) as differing
  ) as placed
  cross join lateral (
    -- Without trailing zeros, the beginning of however many digits the body has.
    select rtrim(rtrim(to_char(e.occurred_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), '0'), '.') as text
  ) as moment
  cross join lateral (
    select case
      when not isfinite(e.occurred_at) then 'occurred_at is infinite'
      when e.occurred_at is null and envelope.year = 2024 and event.created_at #>> '{}' ~ '^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?Z$'
        then format('occurred_at is null, the envelope says %s', event.created_at #>> '{}')
      -- Only where all times of the body are in UTC, and no plain letter is escaped, can the text be looked for.
      when strpos(stored.text, moment.text) = 0 and strpos(stored.text, replace(moment.text, 'T', ' ')) = 0
        and stored.text !~ '\d:\d\d(\.\d+)? ?[+-]\d\d' and stored.text !~ '\\u00[2-7]'
        then format('occurred_at is %s, which the body does not name', moment.text) end as differing
  ) as dated
  cross join lateral (
    select case
      when e.test and e.event_id !~ '^[a-z]+_0{6,}$' and stored.text !~ '"[a-z]+_0{6,}"' then 'test is true, and no id of the body is one of a test'
      when not e.test and e.event_id ~ '^[a-z]+_0{6,}$' then 'test is false, and the id is one of a test' end as differing
  ) as tested
  offset 0

), walked as materialized (
  select b.*, coalesce(lag(b.position) over shard, 0) as position_before,
         coalesce(lag(b.chain) over shard, decode(repeat('00', 32), 'hex')) as chain_before
  from bodies b
  where b.position > 0
  window shard as (partition by b.shard order by b.position)
), ends as materialized (
  select h.*, coalesce(n.newest, 0) as newest, coalesce(n.events, 0) as events, coalesce(n.erased, 0) as erased
  from heads h
  left join (
    select w.shard, max(w.position) as newest, count(*) as events, count(w.erased_by) as erased from walked w group by w.shard
  ) n on n.shard = h.shard

), of_rows as (
  select f.code, w.shard, f.position, f.event_id, f.subject, f.detail
  from walked w
  join heads h on h.shard = w.shard
  left join vouched v on v.erased_by = w.erased_by and v.event_id = w.event_id and v.subject = w.subject and v.body_digest = encode(w.digest, 'hex')
  cross join lateral (
    select 'GAP' as code, w.position_before + 1 as position, null::text as event_id, null::text as subject,
           format('positions %s to %s are missing; the chain cannot be followed over them', w.position_before + 1, w.position - 1) as detail
    where w.position > w.position_before + 1
    union all
    select 'CHAIN_MISMATCH', w.position, w.event_id, w.subject, 'the chain value does not follow from the one before and this row'
    where w.position <= w.position_before + 1
      and w.chain <> sha256(w.chain_before
        || int4send(2) || int2send(w.shard)
        || int4send(8) || int8send(w.position)
        || int4send(octet_length(convert_to(w.event_id, 'UTF8'))) || convert_to(w.event_id, 'UTF8')
        || int4send(octet_length(convert_to(w.subject, 'UTF8'))) || convert_to(w.subject, 'UTF8')
        || int4send(octet_length(w.body_digest)) || w.body_digest)
    union all
    select 'HEAD_MISMATCH', w.position, w.event_id, w.subject, 'ledger.shards has another chain value than the row at the head'
    where w.position = h.head and w.chain <> h.chain
    union all
    select 'REWRITTEN', w.position, w.event_id, w.subject, format('the anchor of %s signed another chain value here', h.made_at)
    where w.position = h.signed_head and w.chain <> h.signed_chain
    union all
    select 'DIGEST_MISMATCH', w.position, w.event_id, w.subject, 'the sha256 of the body is another than body_digest'
    where w.erased_by is null and w.digest <> w.body_digest
    union all
    select 'ERASURE_UNVOUCHED', w.position, w.event_id, w.subject, format('no erasure event %s lists the body as it is now', w.erased_by)
    where w.erased_by is not null and v.erased_by is null
    union all
    select 'SIZE_MISMATCH', w.position, w.event_id, w.subject, format('the body has %s bytes, body_bytes says %s', w.bytes, w.body_bytes)
    where w.bytes <> w.body_bytes
    union all
    select 'IDENTITY_MISMATCH', w.position, w.event_id, w.subject, w.differing
    where w.differing <> ''
  ) f

), of_shards as (
  select f.code, e.shard, f.position, null::text as event_id, null::text as subject, f.detail
  from ends e
  cross join lateral (
    select 'HEAD_MISMATCH' as code, null::bigint as position, 'ledger.shards has no row of the shard' as detail
    where not e.known
    union all
    select 'HEAD_MISMATCH', 0, 'the head says that the shard is empty, with the chain value of one that is not'
    where e.known and e.head = 0 and e.chain <> decode(repeat('00', 32), 'hex')
    union all
    select 'HEAD_MISMATCH', e.head + 1, format('positions %s to %s stand behind the head, which says %s', e.head + 1, e.newest, e.head)
    where e.known and e.newest > e.head
    union all
    select 'TRUNCATED', e.newest + 1, format('positions %s to %s are missing at the end: the head says %s', e.newest + 1, greatest(e.head, e.signed_head), e.head)
                                      || coalesce(format(', the anchor of %s signed %s', e.made_at, e.signed_head), '')
    where greatest(e.head, e.signed_head) > e.newest
  ) f

), of_the_table as (
  select 'HEAD_MISMATCH' as code, e.shard, e.position, e.event_id, e.subject, 'the row stands before position 1, where the log begins' as detail
  from ledger.events e
  where e.position < 1
  union all
  select 'UNGUARDED', null, null, null, null, format('no valid unique index of ledger.events keeps (%s) unique', array_to_string(needed.columns, ', '))
  from (values (array['event_id', 'subject']), (array['position', 'shard'])) as needed (columns)
  where not exists (
    select from pg_index i
    where i.indrelid = 'ledger.events'::regclass and i.indisunique and i.indisvalid and i.indpred is null and i.indexprs is null
      and needed.columns = array(
        select a.attname::text from pg_attribute a where a.attrelid = i.indrelid and a.attnum = any (i.indkey::int2[]) order by a.attname::text collate "C"))

), findings as materialized (
  select * from of_rows union all select * from of_shards union all select * from of_the_table
)
select r.code, r.position, r.event_id, r.subject, r.detail
from (
  select 0 as last, f.shard, f.position as place, f.code, concat_ws(':', f.shard, f.position) as position, f.event_id, f.subject, f.detail
  from findings f
  union all
  select 1, null, null, 'SUMMARY', null, null, null,
         format('%s events in %s shards, %s erased; %s differences; %s', (select sum(events) from ends), (select shards from size), (select sum(erased) from ends),
                (select count(*) from findings), coalesce('compared with the anchor of ' || (select min(made_at) from anchor), 'compared with no anchor'))
) r
order by r.last, r.shard nulls first, r.place nulls first, r.code;

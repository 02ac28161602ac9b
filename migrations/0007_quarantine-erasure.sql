-- Up Migration

-- Erasure, the other half: quarantine, and the function that goes through both doors. By itself, so that nobody waits for
-- ledger.events while this waits for ledger.quarantine.

-- A row keeps the digest of what came in, so that the same bytes once more are the same row and bring nothing back.
alter table ledger.quarantine add column erased_by text collate "C";
comment on column ledger.quarantine.erased_by is 'The newest erasure event that took personal data out of the row; null: the bytes are as received';
alter table ledger.quarantine alter column body_digest drop expression;
comment on column ledger.quarantine.body_digest is 'sha256 of the bytes as received, also where they were redacted since';

create function ledger.digest_body () returns trigger language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  new.body_digest := coalesce(new.body_digest, sha256(new.body));
  return new;
end $$;
create trigger digest_body before insert on ledger.quarantine
  for each row execute function ledger.digest_body();
alter table ledger.quarantine enable always trigger digest_body;

create function ledger.guard_quarantined () returns trigger language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
begin
  if new.quarantine_id = old.quarantine_id and new.body_digest = old.body_digest and exists (
    select
    from ledger.events erasure
    cross join lateral json_array_elements(erasure.body -> 'data' -> 'quarantined') listed
    where erasure.event_id = new.erased_by and erasure.type = 'ledger.customer.erased'
      and listed ->> 'quarantine_id' = new.quarantine_id::text
      and listed ->> 'body_digest' = encode(sha256(new.body), 'hex')
      and (old.erased_by is null or erasure.event_id = old.erased_by
           or erasure.recorded_at > (select max(standing.recorded_at) from ledger.events standing where standing.event_id = old.erased_by and standing.type = erasure.type))
  ) then
    return new;
  end if;
  raise exception 'the bytes of a quarantine row stay as they came: UPDATE is refused'
    using errcode = 'insufficient_privilege',
          hint = 'Redrive or discard it; personal data leaves by `loyalty-ledger erase`.';
end $$;
create trigger guard_quarantined before update of quarantine_id, body, body_digest, erased_by on ledger.quarantine
  for each row execute function ledger.guard_quarantined();
alter table ledger.quarantine enable always trigger guard_quarantined;

-- Appends an erasure event and redacts what it lists: all of it, or nothing.
--   record, body  the erasure event, as ledger.append takes it
--   redacted      [{"event_id", "subject", "body"}]: the new bodies of events
--   quarantined   [{"quarantine_id", "body", "detail", "discard_reason"}]: the new bytes, as UTF-8 text, and texts of rows
create function ledger.erase (record text, body text, redacted json, quarantined json) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
as $$
declare
  erasure_id text := split_part(record, e'\x1f', 1);
  outcome text;
  changed integer;
begin
  select a.outcome into strict outcome from ledger.append(record, body) a;
  if outcome <> 'accepted' then
    raise exception 'the erasure event % is %', erasure_id, outcome using errcode = 'unique_violation';
  end if;
  update ledger.events e
  set body = r.body::json, body_bytes = octet_length(convert_to(r.body, 'UTF8')), erased_by = erasure_id
  from json_to_recordset(redacted) as r (event_id text, subject text, body text)
  where e.event_id = r.event_id and e.subject = r.subject;
  get diagnostics changed = row_count;
  if changed <> json_array_length(redacted) or changed <> json_array_length(body::json -> 'data' -> 'erased') then
    raise exception 'the erasure event % does not list what is redacted', erasure_id using errcode = 'invalid_parameter_value';
  end if;
  update ledger.quarantine q
  set body = convert_to(r.body, 'UTF8'), erased_by = erasure_id, detail = r.detail, discard_reason = r.discard_reason
  from json_to_recordset(quarantined) as r (quarantine_id bigint, body text, detail text, discard_reason text)
  where q.quarantine_id = r.quarantine_id;
  get diagnostics changed = row_count;
  if changed <> json_array_length(quarantined) or changed <> json_array_length(body::json -> 'data' -> 'quarantined') then
    raise exception 'the erasure event % does not list the quarantine rows that are redacted', erasure_id using errcode = 'invalid_parameter_value';
  end if;
end $$;
comment on function ledger.erase is 'Takes personal data out of stored bodies: appends the event that lists them, and redacts them. For the owner only.';

revoke all on function ledger.digest_body, ledger.guard_quarantined, ledger.erase from public;

-- Down Migration

-- Without the column nothing would say why a body does not match its digest.
do $$
begin
  if exists (select from ledger.quarantine where erased_by is not null) or exists (select from ledger.events where erased_by is not null) then
    raise exception 'personal data was erased from this ledger: version 0.1 would take the redacted bodies for damage';
  end if;
end $$;

drop function ledger.erase;
drop trigger guard_quarantined on ledger.quarantine;
drop function ledger.guard_quarantined;
drop trigger digest_body on ledger.quarantine;
drop function ledger.digest_body;
-- A generated column can only be made anew. Quarantine is small.
alter table ledger.quarantine drop column erased_by, drop column body_digest;
alter table ledger.quarantine
  add column body_digest bytea not null generated always as (sha256(body)) stored,
  add constraint quarantine_body_digest_key unique (body_digest);

-- Appends an erasure event and redacts what it lists: all of it, or nothing.
--   record, body  the erasure event, as ledger.append takes it
--   redacted      [{"event_id", "subject", "body"}]: the new bodies of events
--   quarantined   [{"quarantine_id", "body", "detail", "discard_reason"}]: the new bytes, as UTF-8 text, and texts of rows
create or replace function ledger.erase (record text, body text, redacted json, quarantined json) returns void
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

revoke all on function ledger.erase from public;

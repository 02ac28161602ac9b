-- Erasure: redacts the bodies that a stored erasure event lists, all of them or none. The guards (guards.sql) let a
-- body change only to the digest that the event states.
--   event_ids, subjects, bodies                                           new bodies of events
--   quarantine_ids, quarantine_bodies, quarantine_details, discard_reasons    new bytes and texts of quarantine rows
create or replace function ledger.erase (
  erasure_id text, event_ids text[], subjects text[], bodies json[],
  quarantine_ids bigint[], quarantine_bodies bytea[], quarantine_details text[], discard_reasons text[]
)
returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
-- As in ledger.append: the plan must not depend on statistics.
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
as $$
declare
  events constant integer := cardinality(event_ids);
  quarantined constant integer := cardinality(quarantine_ids);
  listed json;
  changed integer;
begin
  if (events = all (array[cardinality(subjects), cardinality(bodies)])) is not true
     or (quarantined = all (array[cardinality(quarantine_bodies), cardinality(quarantine_details), cardinality(discard_reasons)])) is not true then
    raise exception 'the arrays of ledger.erase are not of one length' using errcode = 'invalid_parameter_value';
  end if;
  select e.body -> 'data' into listed from ledger.events e where e.event_id = erasure_id and e.type = 'ledger.customer.erased';
  if (json_array_length(listed -> 'erased') = events and json_array_length(listed -> 'quarantined') = quarantined) is not true then
    raise exception 'the erasure event % does not list what is redacted', erasure_id using errcode = 'invalid_parameter_value';
  end if;

  update ledger.events e
  set body = r.body, body_bytes = octet_length(convert_to(r.body::text, 'UTF8')), erased_by = erasure_id
  from unnest(event_ids, subjects, bodies) as r (event_id, subject, body)
  where e.event_id = r.event_id and e.subject = r.subject;
  get diagnostics changed = row_count;
  if changed <> events then
    raise exception 'the erasure event % lists % events, and % of them are stored', erasure_id, events, changed using errcode = 'invalid_parameter_value';
  end if;

  update ledger.quarantine q
  set body = r.body, erased_by = erasure_id, detail = r.detail, discard_reason = r.discard_reason
  from unnest(quarantine_ids, quarantine_bodies, quarantine_details, discard_reasons) as r (quarantine_id, body, detail, discard_reason)
  where q.quarantine_id = r.quarantine_id;
  get diagnostics changed = row_count;
  if changed <> quarantined then
    raise exception 'the erasure event % lists % quarantine rows, and % of them are there', erasure_id, quarantined, changed using errcode = 'invalid_parameter_value';
  end if;
end $$;
comment on function ledger.erase is 'Takes personal data out of stored bodies, as a stored erasure event lists them. For the owner only.';

revoke all on function ledger.erase from public;

-- Append-only for everyone, owner and superuser included. "always": also where session_replication_role is replica.
create or replace function ledger.refuse_change () returns trigger language plpgsql as $$
begin
  raise exception 'ledger.% is append-only: % is refused', tg_table_name, tg_op
    using errcode = 'insufficient_privilege',
          hint = 'Stored events never change or vanish. A wrong event is answered by a later one, never by an edit.';
end $$;
-- Also for the owner. Everything but the three columns must stay byte for byte, and a stored erasure event must say just this: no
-- older one than the body stands by, or what a later one took out would come back.
create or replace function ledger.guard_body () returns trigger language plpgsql
set search_path = pg_catalog, pg_temp
-- As in ledger.append: the plan must not depend on statistics.
set enable_seqscan = off
as $$
declare
  otherwise ledger.events;
begin
  otherwise := new;
  otherwise.body := old.body;
  otherwise.body_bytes := old.body_bytes;
  otherwise.erased_by := old.erased_by;
  if otherwise *= old and old.type <> 'ledger.customer.erased' and new.body_bytes = octet_length(convert_to(new.body::text, 'UTF8')) and exists (
    select
    from ledger.events erasure
    cross join lateral json_array_elements(erasure.body -> 'data' -> 'erased') listed
    where erasure.event_id = new.erased_by and erasure.type = 'ledger.customer.erased'
      and listed ->> 'event_id' = new.event_id and listed ->> 'subject' = new.subject
      and listed ->> 'body_digest' = encode(sha256(convert_to(new.body::text, 'UTF8')), 'hex')
      and (old.erased_by is null or erasure.event_id = old.erased_by
           or erasure.recorded_at > (select max(standing.recorded_at) from ledger.events standing where standing.event_id = old.erased_by and standing.type = erasure.type))
  ) then
    return new;
  end if;
  raise exception 'ledger.events is append-only: UPDATE is refused'
    using errcode = 'insufficient_privilege',
          hint = 'Stored events never change or vanish. A wrong event is answered by a later one, never by an edit; personal data leaves by `loyalty-ledger erase`.';
end $$;
create or replace trigger append_only before delete or truncate on ledger.events
  for each statement execute function ledger.refuse_change();
alter table ledger.events enable always trigger append_only;
create or replace trigger guard_body before update on ledger.events
  for each row execute function ledger.guard_body();
alter table ledger.events enable always trigger guard_body;

create or replace function ledger.digest_body () returns trigger language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  new.body_digest := coalesce(new.body_digest, sha256(new.body));
  return new;
end $$;
create or replace trigger digest_body before insert on ledger.quarantine
  for each row execute function ledger.digest_body();
alter table ledger.quarantine enable always trigger digest_body;

create or replace function ledger.guard_quarantined () returns trigger language plpgsql
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
create or replace trigger guard_quarantined before update of quarantine_id, body, body_digest, erased_by on ledger.quarantine
  for each row execute function ledger.guard_quarantined();
alter table ledger.quarantine enable always trigger guard_quarantined;

revoke all on function ledger.refuse_change, ledger.guard_body, ledger.digest_body, ledger.guard_quarantined from public;

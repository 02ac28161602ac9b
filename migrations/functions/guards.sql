-- The guards: triggers that keep the log and the bytes in quarantine as they were stored. They hold for everyone, the
-- owner and superusers included. "always": also where session_replication_role is replica.

create or replace function ledger.refuse_change () returns trigger language plpgsql as $$
begin
  raise exception 'ledger.% is append-only: % is refused', tg_table_name, tg_op
    using errcode = 'insufficient_privilege',
          hint = 'Stored events never change and are never removed. A later event corrects a wrong one; an edit never does.';
end $$;

create or replace trigger append_only before delete or truncate on ledger.events
  for each statement execute function ledger.refuse_change();
alter table ledger.events enable always trigger append_only;

-- The only permitted update is an erasure. All columns but three stay byte for byte, and a stored erasure event lists
-- the digest of the new body. That event is not older than the one that redacted the body last: else an older one could
-- bring back what a later one took out.
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
  if otherwise *= old
     and old.type <> 'ledger.customer.erased'
     and new.body_bytes = octet_length(convert_to(new.body::text, 'UTF8'))
     and exists (
       select
       from ledger.events erasure
       cross join lateral json_array_elements(erasure.body -> 'data' -> 'erased') listed
       where erasure.event_id = new.erased_by and erasure.type = 'ledger.customer.erased'
         and listed ->> 'event_id' = new.event_id and listed ->> 'subject' = new.subject
         and listed ->> 'body_digest' = encode(sha256(convert_to(new.body::text, 'UTF8')), 'hex')
         and (old.erased_by is null or erasure.event_id = old.erased_by or erasure.recorded_at > (
           select max(last.recorded_at) from ledger.events last where last.event_id = old.erased_by and last.type = erasure.type))
     )
  then
    return new;
  end if;
  raise exception 'ledger.events is append-only: UPDATE is refused'
    using errcode = 'insufficient_privilege',
          hint = 'Stored events never change. A later event corrects a wrong one; `loyalty-ledger erase` takes out personal data.';
end $$;

create or replace trigger guard_body before update on ledger.events
  for each row execute function ledger.guard_body();
alter table ledger.events enable always trigger guard_body;

-- The digest of the bytes as received: after an erasure it recognises the same bytes, so that they are the same row
-- again and bring nothing back.
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

-- As guard_body, for the bytes in quarantine. Other columns, e.g. the state, may change.
create or replace function ledger.guard_quarantined () returns trigger language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
begin
  if new.quarantine_id = old.quarantine_id and new.body_digest = old.body_digest and new.provider = old.provider and exists (
    select
    from ledger.events erasure
    cross join lateral json_array_elements(erasure.body -> 'data' -> 'quarantined') listed
    where erasure.event_id = new.erased_by and erasure.type = 'ledger.customer.erased'
      and listed ->> 'quarantine_id' = new.quarantine_id::text
      and listed ->> 'body_digest' = encode(sha256(new.body), 'hex')
      and (old.erased_by is null or erasure.event_id = old.erased_by or erasure.recorded_at > (
        select max(last.recorded_at) from ledger.events last where last.event_id = old.erased_by and last.type = erasure.type))
  ) then
    return new;
  end if;
  raise exception 'the bytes of a quarantine row stay as received: UPDATE is refused'
    using errcode = 'insufficient_privilege',
          hint = 'Redrive or discard the row; `loyalty-ledger erase` takes out personal data.';
end $$;

create or replace trigger guard_quarantined before update of quarantine_id, provider, body, body_digest, erased_by on ledger.quarantine
  for each row execute function ledger.guard_quarantined();
alter table ledger.quarantine enable always trigger guard_quarantined;

revoke all on function ledger.refuse_change, ledger.guard_body, ledger.digest_body, ledger.guard_quarantined from public;

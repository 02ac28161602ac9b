-- Up Migration

-- Erasure: the one door through which a stored body can change. What goes through it is itself an event of the log, which lists
-- the digests of the bodies as they stand afterwards: so the chain vouches for them, too.

-- Every lock below is for the catalogue only, no row is read or written.
alter table ledger.events add column erased_by text collate "C";
comment on column ledger.events.erased_by is 'The newest erasure event that took personal data out of the body; null: the body is as received';
comment on column ledger.events.body is 'The JSON exactly as received: json, not jsonb, because it is the evidence. Where erased_by is set: without what was personal';
comment on column ledger.events.body_bytes is 'Size of the body; what is stored may be compressed a hundredfold';
comment on column ledger.events.body_digest is 'sha256 of the body bytes as received, also where they were redacted since';

-- Also for the owner. Everything but the three columns must stay byte for byte, and a stored erasure event must say just this: no
-- older one than the body stands by, or what a later one took out would come back.
create function ledger.guard_body () returns trigger language plpgsql
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
drop trigger append_only on ledger.events;
create trigger append_only before delete or truncate on ledger.events
  for each statement execute function ledger.refuse_change();
alter table ledger.events enable always trigger append_only;
create trigger guard_body before update on ledger.events
  for each row execute function ledger.guard_body();
alter table ledger.events enable always trigger guard_body;

revoke all on function ledger.guard_body from public;

-- Down Migration

-- Without the column nothing would say why a body does not match its digest.
do $$
begin
  if exists (select from ledger.events where erased_by is not null) then
    raise exception 'personal data was erased from this ledger: version 0.1 would take the redacted bodies for damage';
  end if;
end $$;

drop trigger guard_body on ledger.events;
drop function ledger.guard_body;
drop trigger append_only on ledger.events;
create trigger append_only before update or delete or truncate on ledger.events
  for each statement execute function ledger.refuse_change();
alter table ledger.events enable always trigger append_only;
alter table ledger.events drop column erased_by;
comment on column ledger.events.body is 'The JSON exactly as received: json, not jsonb, because it is the evidence';
comment on column ledger.events.body_bytes is 'Size of the body as received; what is stored may be compressed a hundredfold';
comment on column ledger.events.body_digest is 'sha256 of the body bytes';

-- Up Migration

-- A generation is one schema that holds a set of projection tables together with the checkpoints that vouch for their rows.
-- The live one is projection; a rebuild fills another one beside it and takes its place.

alter table ledger.checkpoints set schema projection;
comment on table projection.checkpoints is 'Up to which position of each shard a projection of this generation has folded the events, and by which version of its rules. Committed together with the rows it vouches for.';
-- One version of a projection has the rows, and the others fold nothing into them.
alter table projection.checkpoints add constraint checkpoints_one_version unique (projection, shard);

-- For workers and queries of 0.1.0, until they are replaced.
create view ledger.checkpoints as
select projection, version, shard, position, updated_at from projection.checkpoints;
comment on view ledger.checkpoints is 'As in 0.1.0. Read projection.checkpoints.';

create table projection.parked (
  projection text not null,
  key text collate "C" not null,
  shard smallint not null,
  position bigint not null,
  event_id text collate "C" not null,
  subject text collate "C" not null,
  code text not null,
  reason text not null,
  parked_at timestamptz not null default clock_timestamp(),
  tries integer not null default 1,
  last_tried_at timestamptz not null default clock_timestamp(),
  primary key (projection, key)
);
comment on table projection.parked is 'Cards, orders and customers that stand still because an event about them could not be folded. All else goes on.';
comment on column projection.parked.key is 'card:…, order:…, customer:… or tier:… that stands still; event:… for what else an event tells that cannot be read';
comment on column projection.parked.position is 'With shard: the first event that could not be folded';
comment on column projection.parked.code is 'event_unreadable, or fold_failed';
comment on column projection.parked.reason is 'Why, as of the last try';
comment on column projection.parked.parked_at is 'Since when it stands still; null in answers about a card or an order means that it does not';

create table projection.waiting (
  projection text not null,
  key text collate "C" not null,
  shard smallint not null,
  position bigint not null,
  primary key (projection, key, shard, position)
);
comment on table projection.waiting is 'The events that a parked key waits with, the one that failed included; a redrive folds them in order';

grant select, insert, update, delete on projection.parked, projection.waiting to ledger_service;
grant select, insert, update on ledger.checkpoints to ledger_service;

-- Down Migration

do $$
begin
  if exists (select from projection.parked) then
    raise exception 'events of parked cards or orders wait to be folded, and 0.1.0 would never fold them: redrive them first'
      using hint = 'loyalty-ledger parked redrive --all';
  end if;
end $$;
drop schema if exists projection_build cascade;
drop table projection.waiting;
drop table projection.parked;
drop view ledger.checkpoints;
alter table projection.checkpoints drop constraint checkpoints_one_version;
alter table projection.checkpoints set schema ledger;
comment on table ledger.checkpoints is 'Up to which position of each shard a projection has folded the events. Committed together with the rows it vouches for.';

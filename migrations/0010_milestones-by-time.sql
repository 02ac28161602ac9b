-- Up Migration (outside a transaction)

-- Small, as one line in 256 has a milestone.
drop index concurrently if exists projection.lines_milestones;
create index concurrently lines_milestones on projection.lines (card_id, occurred_at, tie) where milestone is not null;

-- Down Migration (outside a transaction)

drop index concurrently if exists projection.lines_milestones;

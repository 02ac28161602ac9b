-- Up Migration (outside a transaction)

-- Small, as one line in 256 has a running_totals.
drop index concurrently if exists projection.statement_lines_running_totals;
create index concurrently statement_lines_running_totals on projection.statement_lines (card_id, occurred_at, ordinal) where running_totals is not null;

-- Down Migration (outside a transaction)

drop index concurrently if exists projection.statement_lines_running_totals;

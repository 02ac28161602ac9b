-- Up Migration

-- What a card had at a past date was what it has now less all lines since: 26 ms for the first days of a card with 100,000
-- movements. Now every so many movements a line says what all lines up to it add up to, and a question about the past adds up no
-- more than the lines since the last one that does. Where a line lacks its running_totals, because an older version wrote it, more
-- lines are added up; a rebuild brings them.

alter table projection.statement_lines add column running_totals json;
comment on column projection.statement_lines.running_totals is 'What the card''s lines up to this one add up to; null but for every 256th movement';

-- migrate up ends a rebuild that was begun before; one that it could not end any more can go on.
alter table if exists projection_build.lines add column if not exists running_totals json;

-- Down Migration

alter table projection.statement_lines drop column running_totals;
alter table if exists projection_build.lines drop column if exists running_totals;

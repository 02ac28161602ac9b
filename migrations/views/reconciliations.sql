create or replace view reporting.reconciliations as
select r.reconciliation_id, r.provider, r.card, r.since, r.state, r.started_at, r.ended_at, r.ended_by, r.detail, r.runs, r.calls,
       r.pulled, r.stored, r.duplicates, r.quarantined, r.cards_compared, r.cards_equal, r.cards_healed, r.cards_different,
       r.healed, r.differences, r.remarks
from ledger.reconciliations r;
comment on view reporting.reconciliations is 'One row each time the ledger asked the provider what its cards hold: what was missing, what was healed, what still differs';
comment on column reporting.reconciliations.reconciliation_id is 'Names it';
comment on column reporting.reconciliations.provider is 'Who was asked';
comment on column reporting.reconciliations.card is 'The only card that was asked about; null: all';
comment on column reporting.reconciliations.since is 'What changed since this time was read again; null: what the runs before had not read';
comment on column reporting.reconciliations.state is 'running (or killed), stopped (the next run continues it), or finished';
comment on column reporting.reconciliations.started_at is 'When its first run began';
comment on column reporting.reconciliations.ended_at is 'When it stopped or finished';
comment on column reporting.reconciliations.ended_by is 'Why it stopped, as a stable code';
comment on column reporting.reconciliations.detail is 'Why it stopped, for people';
comment on column reporting.reconciliations.runs is 'How many runs it took';
comment on column reporting.reconciliations.calls is 'Calls made to the provider''s API';
comment on column reporting.reconciliations.pulled is 'Objects that the API returned';
comment on column reporting.reconciliations.stored is 'How many of them became new events';
comment on column reporting.reconciliations.duplicates is 'How many were stored before';
comment on column reporting.reconciliations.quarantined is 'How many cannot be used, or contradict what is stored';
comment on column reporting.reconciliations.cards_compared is 'Cards of which the provider stated what they hold';
comment on column reporting.reconciliations.cards_equal is 'Cards that were right before';
comment on column reporting.reconciliations.cards_healed is 'Cards that what was pulled made right, or explained better';
comment on column reporting.reconciliations.cards_different is 'Cards that are still not as the provider states';
comment on column reporting.reconciliations.healed is 'By how many points the healed cards changed, by kind; signed';
comment on column reporting.reconciliations.differences is 'The cards that are still different, and why; at most 100';
comment on column reporting.reconciliations.remarks is 'What could not be read, for people';

grant select on reporting.reconciliations to ledger_reader, ledger_service;

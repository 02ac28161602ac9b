-- Up Migration

alter table ledger.events add column erased_by text collate "C";

-- Down Migration

alter table ledger.events drop column erased_by;

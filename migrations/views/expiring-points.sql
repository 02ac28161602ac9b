create or replace view reporting.expiring_points as
select e.card_id, k.code, k.customer_id, coalesce(e.campaign_id, k.campaign_id) as campaign_id, e.bucket_id, e.points, e.expires_on, e.as_of
from projection.expirations e
left join projection.cards k on k.card_id = e.card_id
where e.status = 'ACTIVE';
comment on view reporting.expiring_points is 'Points that expire, by bucket: as of the newest export of them, so only as new as that';
comment on column reporting.expiring_points.card_id is 'The card, v_…';
comment on column reporting.expiring_points.code is 'Its code; null where no event states it';
comment on column reporting.expiring_points.customer_id is 'Its holder; null where no event names one';
comment on column reporting.expiring_points.campaign_id is 'The loyalty programme, camp_…';
comment on column reporting.expiring_points.bucket_id is 'The provider''s bucket, lopb_…';
comment on column reporting.expiring_points.points is 'How many points expire';
comment on column reporting.expiring_points.expires_on is 'On which day, in the time zone of the provider''s project';
comment on column reporting.expiring_points.as_of is 'When it was so: when the file of the export was written';

grant select on reporting.expiring_points to ledger_reader, ledger_service;

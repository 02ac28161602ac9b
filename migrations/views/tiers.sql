create or replace view reporting.tiers as
select t.customer_id, t.campaign_id, t.tier_id, t.tier, t.change, t.occurred_at as since
from (
  select distinct on (c.customer_id, c.campaign_id) c.*
  from projection.tier_changes c
  -- Of two at one moment, being in a tier comes before having left one.
  order by c.customer_id, c.campaign_id, c.occurred_at desc, (c.change = 'left'), c.event_id, c.subject
) t
where t.tier_id is not null;
comment on view reporting.tiers is 'The loyalty tier each customer is in, by programme: the newest observed change';
comment on column reporting.tiers.customer_id is 'Who is in it';
comment on column reporting.tiers.campaign_id is 'The loyalty programme';
comment on column reporting.tiers.tier_id is 'The tier, ltr_…';
comment on column reporting.tiers.tier is 'Its name as last observed';
comment on column reporting.tiers.change is 'How they came to be in it: joined, upgraded, downgraded or prolonged';
comment on column reporting.tiers.since is 'When that change happened at the provider';

grant select on reporting.tiers to ledger_reader, ledger_service;

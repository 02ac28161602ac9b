create or replace view reporting.customers as
select c.customer_id, c.source_id, c.name, c.email, c.metadata, c.deleted_at, c.first_seen_at, c.last_seen_at,
       coalesce(held.balance, 0) as balance, coalesce(held.pending, 0) as pending,
       coalesce(held.unexplained, 0) as unexplained, coalesce(held.cards, 0) as cards,
       coalesce(held.unavailable, 0) as unavailable, held.balance_stated_at
from projection.customers c
left join (
  select k.customer_id,
         sum(k.balance) filter (where k.deleted_at is null and k.active is not false) as balance,
         sum(k.balance) filter (where k.deleted_at is not null or k.active is false) as unavailable,
         sum(k.pending) as pending, sum(k.unexplained) as unexplained, count(*) as cards,
         case when bool_and(k.balance_stated_at is not null) then min(k.balance_stated_at) end as balance_stated_at
  from projection.cards k
  where k.customer_id is not null
  group by k.customer_id
) held on held.customer_id = c.customer_id;
comment on view reporting.customers is 'One row a customer, with totals over the cards they hold';
comment on column reporting.customers.customer_id is 'The provider''s id, cust_…';
comment on column reporting.customers.source_id is 'The merchant''s own id of the customer';
comment on column reporting.customers.name is 'As last observed';
comment on column reporting.customers.email is 'As last observed';
comment on column reporting.customers.metadata is 'JSON as last observed, keys sorted';
comment on column reporting.customers.deleted_at is 'When the provider deleted the customer; points and orders stay';
comment on column reporting.customers.first_seen_at is 'Time of the earliest event that names the customer';
comment on column reporting.customers.last_seen_at is 'Time of the latest event that names the customer';
comment on column reporting.customers.balance is 'Available points over all cards held that can be used';
comment on column reporting.customers.pending is 'Points promised and not yet available; not part of balance';
comment on column reporting.customers.unexplained is 'Signed: points that the provider''s balances show beyond the known movements';
comment on column reporting.customers.cards is 'How many cards the customer holds';
comment on column reporting.customers.unavailable is 'Points on deleted and disabled cards; not part of balance';
comment on column reporting.customers.balance_stated_at is 'The earliest balance_stated_at of the cards held; null where one of them has none';

grant select on reporting.customers to ledger_reader, ledger_service;

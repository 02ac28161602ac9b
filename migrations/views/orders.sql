create or replace view reporting.orders as
select o.order_id, o.customer_id, o.source_id, o.status, o.amount, o.initial_amount, o.discount_amount, o.items_discount_amount,
       o.total_discount_amount, o.total_amount, o.items, o.metadata, o.created_at, o.updated_at
from projection.orders o;
comment on view reporting.orders is 'One row an order, in its newest observed state. Amounts are integers in minor units; an order carries no currency of its own (some merchants keep one in metadata): never sum across currencies.';
comment on column reporting.orders.order_id is 'The provider''s id, ord_…';
comment on column reporting.orders.customer_id is 'Who ordered';
comment on column reporting.orders.source_id is 'The merchant''s own id of the order';
comment on column reporting.orders.status is 'CREATED, PAID, FULFILLED or CANCELED';
comment on column reporting.orders.amount is 'Before discounts';
comment on column reporting.orders.initial_amount is 'Before the provider changed items';
comment on column reporting.orders.discount_amount is 'Discount on the order; null when there was none';
comment on column reporting.orders.items_discount_amount is 'Discount on items; null when there was none';
comment on column reporting.orders.total_discount_amount is 'All discounts; null when there was none';
comment on column reporting.orders.total_amount is 'After discounts';
comment on column reporting.orders.items is 'JSON as received, keys sorted';
comment on column reporting.orders.metadata is 'JSON as received, keys sorted';
comment on column reporting.orders.created_at is 'When it was made at the provider';
comment on column reporting.orders.updated_at is 'Time of the newest state at the provider';

grant select on reporting.orders to ledger_reader, ledger_service;

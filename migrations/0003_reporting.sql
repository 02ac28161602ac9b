-- Up Migration

-- What people read in SQL: views only, each column explained, stable from release to release (CHANGELOG).
-- They run with their owner's rights, so a reader of these views can see nothing else.

create schema reporting;
comment on schema reporting is 'The ledger for people and reports. Views only; changes are announced in the CHANGELOG.';

create view reporting.customers as
select c.customer_id, c.source_id, c.name, c.email, c.metadata, c.deleted_at, c.first_seen_at, c.last_seen_at,
       coalesce(held.balance, 0) as balance, coalesce(held.pending, 0) as pending,
       coalesce(held.unexplained, 0) as unexplained, coalesce(held.cards, 0) as cards
from projection.customers c
left join (
  select k.customer_id, sum(k.balance) as balance, sum(k.pending) as pending, sum(k.unexplained) as unexplained, count(*) as cards
  from projection.cards k
  where k.customer_id is not null
  group by k.customer_id
) held on held.customer_id = c.customer_id;
comment on view reporting.customers is 'One row a customer, with totals over the cards they hold';
comment on column reporting.customers.customer_id is 'The provider''s id, cust_…';
comment on column reporting.customers.source_id is 'The merchant''s own id of the customer';
comment on column reporting.customers.name is 'As last told';
comment on column reporting.customers.email is 'As last told';
comment on column reporting.customers.metadata is 'As last told; JSON text as received, keys sorted';
comment on column reporting.customers.deleted_at is 'When the provider deleted the customer; points and orders stay';
comment on column reporting.customers.first_seen_at is 'Time of the earliest event that names the customer, on the provider''s clock';
comment on column reporting.customers.last_seen_at is 'Time of the latest event that names the customer, on the provider''s clock';
comment on column reporting.customers.balance is 'Available points over all cards held';
comment on column reporting.customers.pending is 'Points promised and not yet available; not part of balance';
comment on column reporting.customers.unexplained is 'Signed: points that the provider''s balances show moved although no movement we know explains it';
comment on column reporting.customers.cards is 'How many cards the customer holds';

create view reporting.cards as
select k.card_id, k.code, k.campaign_id, k.campaign, k.customer_id, k.active, k.deleted_at,
       k.balance, k.opening, k.earned, k.spent, k.refunded, k.expired,
       k.adjusted, k.transferred, k.unexplained, k.pending, k.movements, k.first_movement_at, k.last_movement_at
from projection.cards k;
comment on view reporting.cards is 'One row a loyalty card. balance = opening + earned + refunded - spent - expired + adjusted + transferred + unexplained, always.';
comment on column reporting.cards.card_id is 'The provider''s voucher id, v_…';
comment on column reporting.cards.code is 'What is printed on the card';
comment on column reporting.cards.campaign_id is 'The loyalty programme, camp_…';
comment on column reporting.cards.campaign is 'The programme''s name as last told';
comment on column reporting.cards.customer_id is 'The holder';
comment on column reporting.cards.active is 'Whether the provider lets it be used; null where never told';
comment on column reporting.cards.deleted_at is 'When the provider deleted it; its history stays';
comment on column reporting.cards.balance is 'Available points';
comment on column reporting.cards.opening is 'What the card held when it was made, where that was told, else before the first movement we know';
comment on column reporting.cards.earned is 'Points earned under earning rules';
comment on column reporting.cards.spent is 'Points redeemed';
comment on column reporting.cards.refunded is 'Points given back by rolled-back redemptions';
comment on column reporting.cards.expired is 'Points expired';
comment on column reporting.cards.adjusted is 'Signed: points added and removed by hand';
comment on column reporting.cards.transferred is 'Signed: points moved between cards';
comment on column reporting.cards.unexplained is 'Signed: what the provider''s balances show beyond the movements we know';
comment on column reporting.cards.pending is 'Points promised and not yet available; not part of balance';
comment on column reporting.cards.movements is 'How many movements are known; opening and unexplained lines do not count';
comment on column reporting.cards.first_movement_at is 'When the first known movement happened';
comment on column reporting.cards.last_movement_at is 'When the last known movement happened';

create view reporting.statement_lines as
select l.card_id, k.customer_id, k.campaign_id, l.occurred_at, l.ordinal, l.movement_id, l.kind, l.points, l.balance, l.reported_balance,
       l.recorded_at, l.order_id, l.earning_rule_id, l.event_id
from projection.statement_lines l
join projection.cards k on k.card_id = l.card_id;
comment on view reporting.statement_lines is 'The statements of all cards: every movement and every unexplained line. In the order (card_id, occurred_at, ordinal), balance is the running balance: a card''s opening plus the sum of its points up to the line, not counting the line of kind opening, which is in it already.';
comment on column reporting.statement_lines.card_id is 'The card';
comment on column reporting.statement_lines.customer_id is 'The card''s holder now';
comment on column reporting.statement_lines.campaign_id is 'The card''s loyalty programme';
comment on column reporting.statement_lines.occurred_at is 'When it happened at the provider';
comment on column reporting.statement_lines.ordinal is 'Place among the lines of one card at one time';
comment on column reporting.statement_lines.movement_id is 'The movement, however many events tell it';
comment on column reporting.statement_lines.kind is 'opening, accrual, redemption, refund, expiration, addition, removal, transfer_in, transfer_out, or unexplained';
comment on column reporting.statement_lines.points is 'Signed change of the available points';
comment on column reporting.statement_lines.balance is 'Running balance after the line';
comment on column reporting.statement_lines.reported_balance is 'The card''s balance after it as the provider states it; null where it states none';
comment on column reporting.statement_lines.recorded_at is 'When we first stored an event that told it';
comment on column reporting.statement_lines.order_id is 'The order behind it, where there is one';
comment on column reporting.statement_lines.earning_rule_id is 'The earning rule behind an accrual';
comment on column reporting.statement_lines.event_id is 'The best-source_rank event that told it';

create view reporting.orders as
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
comment on column reporting.orders.created_at is 'On the provider''s clock';
comment on column reporting.orders.updated_at is 'Of the newest state, on the provider''s clock';

create view reporting.tiers as
select t.customer_id, t.campaign_id, t.tier_id, t.tier, t.change, t.occurred_at as since
from (
  select distinct on (c.customer_id, c.campaign_id) c.*
  from projection.tier_changes c
  -- Of two told for one moment, being in a tier stands before having left one.
  order by c.customer_id, c.campaign_id, c.occurred_at desc, (c.change = 'left'), c.event_id, c.subject
) t
where t.tier_id is not null;
comment on view reporting.tiers is 'The loyalty tier each customer is in, by programme: the newest told change';
comment on column reporting.tiers.customer_id is 'Who is in it';
comment on column reporting.tiers.campaign_id is 'The loyalty programme';
comment on column reporting.tiers.tier_id is 'The tier, ltr_…';
comment on column reporting.tiers.tier is 'Its name as last told';
comment on column reporting.tiers.change is 'How they came to be in it: joined, upgraded, downgraded or prolonged';
comment on column reporting.tiers.since is 'When that change happened, on the provider''s clock';

grant usage on schema reporting to ledger_reader, ledger_service;
grant select on all tables in schema reporting to ledger_reader, ledger_service;

-- Down Migration

drop schema reporting cascade;

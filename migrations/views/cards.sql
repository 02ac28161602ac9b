create or replace view reporting.cards as
select k.card_id, k.code, k.campaign_id, k.campaign, k.customer_id, k.active, k.deleted_at,
       k.balance, k.opening, k.earned, k.spent, k.refunded, k.expired,
       k.adjusted, k.transferred, k.unexplained, k.pending, k.movements, k.first_movement_at, k.last_movement_at,
       k.pending_unexplained, k.balance_stated_at,
       case when k.deleted_at is not null then 'deleted' when k.active is false then 'disabled' end as unavailable
from projection.cards k;
comment on view reporting.cards is 'One row a loyalty card. balance = opening + earned + refunded - spent - expired + adjusted + transferred + unexplained, always.';
comment on column reporting.cards.card_id is 'The provider''s voucher id, v_…';
comment on column reporting.cards.code is 'What is printed on the card';
comment on column reporting.cards.campaign_id is 'The loyalty programme, camp_…';
comment on column reporting.cards.campaign is 'The name of the programme as last observed';
comment on column reporting.cards.customer_id is 'The holder';
comment on column reporting.cards.active is 'Whether the provider lets it be used; null where never observed';
comment on column reporting.cards.deleted_at is 'When the provider deleted it; its history stays';
comment on column reporting.cards.balance is 'Points on the card. Where unavailable is not null they cannot be spent';
comment on column reporting.cards.opening is 'Points at its creation where observed, else before the first known movement';
comment on column reporting.cards.earned is 'Points earned under earning rules';
comment on column reporting.cards.spent is 'Points redeemed';
comment on column reporting.cards.refunded is 'Points given back by rolled-back redemptions';
comment on column reporting.cards.expired is 'Points expired';
comment on column reporting.cards.adjusted is 'Signed: points added and removed by hand';
comment on column reporting.cards.transferred is 'Signed: points moved between cards';
comment on column reporting.cards.unexplained is 'Signed: what the provider''s balances show beyond the known movements';
comment on column reporting.cards.pending is 'Points promised and not yet available; not part of balance';
comment on column reporting.cards.movements is 'How many movements are known; opening and unexplained lines do not count';
comment on column reporting.cards.first_movement_at is 'When the first known movement happened';
comment on column reporting.cards.last_movement_at is 'When the last known movement happened';
comment on column reporting.cards.pending_unexplained is 'Signed: of pending, what the provider''s totals show beyond the known lots of points';
comment on column reporting.cards.balance_stated_at is 'The newest time at which the provider''s own figure for the balance is known; null: it never stated one, and the balance is only the sum of the known movements';
comment on column reporting.cards.unavailable is 'Why the points cannot be spent: deleted or disabled; null where they can';

grant select on reporting.cards to ledger_reader, ledger_service;

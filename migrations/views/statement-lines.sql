create or replace view reporting.statement_lines as
select l.card_id, k.customer_id, k.campaign_id, l.occurred_at, l.ordinal, l.movement_id, l.kind, l.points, l.balance, l.reported_balance,
       l.recorded_at, l.order_id, l.earning_rule_id, l.event_id, l.observed, l.dated_at
from projection.statement_lines l
join projection.cards k on k.card_id = l.card_id;
comment on view reporting.statement_lines is 'The statements of all cards: every movement and every unexplained line. In the order (card_id, occurred_at, ordinal), balance is the running balance: a card''s opening plus the sum of its points up to the line, not counting the line of kind opening, which is in it already.';
comment on column reporting.statement_lines.card_id is 'The card';
comment on column reporting.statement_lines.customer_id is 'The card''s holder now';
comment on column reporting.statement_lines.campaign_id is 'The card''s loyalty programme';
comment on column reporting.statement_lines.occurred_at is 'When it happened at the provider';
comment on column reporting.statement_lines.ordinal is 'Place among the lines of one card at one time';
comment on column reporting.statement_lines.movement_id is 'The movement, however many events state it';
comment on column reporting.statement_lines.kind is 'opening, accrual, redemption, refund, expiration, addition, removal, transfer_in, transfer_out, or unexplained';
comment on column reporting.statement_lines.points is 'Signed change of the available points';
comment on column reporting.statement_lines.balance is 'Running balance after the line';
comment on column reporting.statement_lines.reported_balance is 'The card''s balance after it as the provider states it; null where it states none';
comment on column reporting.statement_lines.recorded_at is 'When we first stored an event that states it';
comment on column reporting.statement_lines.order_id is 'The order behind it, where there is one';
comment on column reporting.statement_lines.earning_rule_id is 'The earning rule behind an accrual';
comment on column reporting.statement_lines.event_id is 'The event of the best source';
comment on column reporting.statement_lines.observed is 'True: the reported balance is that of a snapshot of the card, dated at the movement, which itself states none';
comment on column reporting.statement_lines.dated_at is 'The time that the events state, where the balances around the line put it at another one, within seconds; else null';

grant select on reporting.statement_lines to ledger_reader, ledger_service;

-- The chain of digests. Anyone can recompute it from the rows (docs/architecture.md says how).

-- Stable, not immutable: it reads the encoding of the database. Declared immutable it was never inlined (9 µs an
-- event).
create or replace function ledger.chain_link (shard smallint, "position" bigint, event_id text, subject text, body_digest bytea)
returns bytea stable strict parallel safe language sql as $$
  select int4send(2) || int2send(shard)
      || int4send(8) || int8send(position)
      || int4send(octet_length(convert_to(event_id, 'UTF8'))) || convert_to(event_id, 'UTF8')
      || int4send(octet_length(convert_to(subject, 'UTF8'))) || convert_to(subject, 'UTF8')
      || int4send(octet_length(body_digest)) || body_digest
$$;
comment on function ledger.chain_link is 'The contribution of one event to the chain: shard, position, event_id, subject and body_digest, each preceded by its length as int4';

create or replace function ledger.chain_step (state bytea, before bytea, link bytea)
returns bytea immutable parallel safe language plpgsql as $$
begin
  return sha256(coalesce(state, before) || link);
end $$;
comment on function ledger.chain_step is 'The chain value after one more link';

create or replace aggregate ledger.chain_over (before bytea, link bytea) (sfunc = ledger.chain_step, stype = bytea);
comment on aggregate ledger.chain_over(bytea, bytea) is 'The chain value after links in order, starting from the value before the first of them';

revoke all on function ledger.chain_link, ledger.chain_step, ledger.chain_over(bytea, bytea) from public;
grant execute on function ledger.chain_link, ledger.chain_step, ledger.chain_over(bytea, bytea) to ledger_service;

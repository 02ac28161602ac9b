import { sql, type RawBuilder } from 'kysely'
import type { HolderObservation } from '../ledger/holders.ts'
import type { RecordedLotState } from '../ledger/pending.ts'
import type { AsOf } from '../ledger/as-of.ts'
import type { ShownCard } from '../projections/cards/reads.sql.ts'
import type { Trx } from '../postgres/database.ts'

/** True for an observation that counts as of a past time. */
function observed (asOf: AsOf): RawBuilder<unknown> {
  return sql`occurred_at <= ${asOf.at ?? 'infinity'}::timestamptz and recorded_at <= ${asOf.known_at ?? 'infinity'}::timestamptz`
}

/** The states of pending points observed and stored by then. */
export async function readPendingAt (trx: Trx, card_ids: readonly string[], asOf: AsOf): Promise<RecordedLotState[]> {
  const { rows } = await sql<RecordedLotState>`
    select pending_id, card_id, state, points, occurred_at, recorded_at
    from pending_observations
    where card_id = any (${card_ids}::text[]) and ${observed(asOf)}`.execute(trx)
  return rows
}

/** Every observation of a holder of card `c`: with a movement, with pending points, or on its own. */
function observations (asOf: AsOf): RawBuilder<unknown> {
  return sql`
    select t.holder_id as customer_id, true as held, t.occurred_at
    from movement_observations t where t.card_id = c.card_id and t.holder_id is not null and ${observed(asOf)}
    union all
    select t.holder_id, true, t.occurred_at
    from pending_observations t where t.card_id = c.card_id and t.holder_id is not null and ${observed(asOf)}
    union all
    select t.customer_id, t.held, t.occurred_at
    from holder_observations t where t.card_id = c.card_id and ${observed(asOf)}`
}

/**
 * The newest observation by then of each card and customer that it is held, and that it is not: the holder depends on
 * these alone.
 */
export async function readHolderObservations (trx: Trx, card_ids: readonly string[], asOf: AsOf): Promise<Array<HolderObservation & { card_id: string }>> {
  const { rows } = await sql<HolderObservation & { card_id: string }>`
    select c.card_id, newest.customer_id, newest.held, newest.occurred_at
    from unnest(${card_ids}::text[]) as c (card_id)
    cross join lateral (
      select t.customer_id, t.held, max(t.occurred_at) as occurred_at
      from (${observations(asOf)}) t
      group by t.customer_id, t.held
    ) newest`.execute(trx)
  return rows
}

/** The cards of which any holder had been observed by then. Stops at the first observation of each card. */
export async function listObservedHolders (trx: Trx, card_ids: readonly string[], asOf: AsOf): Promise<Set<string>> {
  const { rows } = await sql<{ card_id: string }>`
    select c.card_id
    from unnest(${card_ids}::text[]) as c (card_id)
    where exists (${observations(asOf)})`.execute(trx)
  return new Set(rows.map(({ card_id }) => card_id))
}

/** The cards of which a customer was ever observed as holder, as they are now. */
export async function listEverHeld (trx: Trx, customer_id: string): Promise<ShownCard[]> {
  return await trx.selectFrom('holdings as h')
    .innerJoin('cards as k', 'k.card_id', 'h.card_id')
    .leftJoin('parked as p', join => join.on('p.projection', '=', 'cards').on('p.key', '=', sql<string>`'card:' || k.card_id`))
    .selectAll('k').select('p.parked_at')
    .where('h.customer_id', '=', customer_id)
    .orderBy('k.code').orderBy('k.card_id')
    .execute()
}

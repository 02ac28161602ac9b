import { sql } from 'kysely'
import type { Line } from '../ledger/card.ts'
import type { Instant } from '../ledger/instant.ts'
import type { Movement } from '../ledger/movements.ts'
import type { Trx } from './database.ts'
import { BY_INDEX, recordset } from './recordset.ts'
import type { CardRow, LineRow } from './tables.ts'

/** The end of a card's stored statement, from the earliest moment that a step touches. */
export interface Tail {
  from: Instant
  lines: LineRow[]
  /** The running balance before `from`; null when nothing stands before it. */
  balance_before: bigint | null
}

/** Makes the rows that are missing and locks all of them in key order: a card that changed holder is told of in two shards. */
export async function lockCards (trx: Trx, ids: string[]): Promise<CardRow[]> {
  await sql`
    insert into cards
      (card_id, clocks, holders, balance, opening, earned, spent, refunded, expired, adjusted, transferred, unexplained, pending, movements)
    select id, '{}', '[]', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 from unnest(${ids}::text[]) as t (id) order by id collate "C"
    on conflict do nothing`.execute(trx)
  return await trx.selectFrom('cards').selectAll()
    .where('card_id', '=', sql<string>`any (${ids}::text[])`)
    .orderBy('card_id')
    .forUpdate()
    .execute()
}

/** Reads, for each card, the lines from the earliest of: a touched movement's new time, and the time it stood at so far. */
export async function readTails (trx: Trx, touched: ReadonlyMap<string, readonly Movement[]>): Promise<Map<string, Tail>> {
  const movements = [...touched.values()].flat()
  if (movements.length === 0) return new Map()
  const { rows: starts } = await sql<{ card_id: string, from: Instant, balance_before: bigint | null }>`
    with starts as (
      select t.card_id, min(least(t.occurred_at, l.occurred_at, first.occurred_at)) as "from"
      from ${recordset(movements, { card_id: 'text', movement_id: 'text', kind: 'text', occurred_at: 'timestamptz' }, 't')}
      left join lateral (
        select l.occurred_at from lines l
        where l.movement_id = t.movement_id and l.card_id = t.card_id
        ${BY_INDEX}
      ) l on true
      -- What a card was made with counts from its first line on, whenever it was made.
      left join lateral (
        select l.occurred_at from lines l
        where l.card_id = t.card_id and t.kind = 'opening'
        order by l.occurred_at
        limit 1
      ) first on true
      group by t.card_id
    )
    select s.card_id, s."from", before.balance as balance_before
    from starts s
    left join lateral (
      select l.balance from lines l
      where l.card_id = s.card_id and l.occurred_at < s."from"
      order by l.occurred_at desc, l.tie desc
      limit 1
    ) before on true`.execute(trx)
  const tails = new Map<string, Tail>(starts.map(({ card_id, from, balance_before }) => [card_id, { from, balance_before, lines: [] }]))
  const { rows: lines } = await sql<LineRow>`
    select l.*
    from ${recordset(starts, { card_id: 'text', from: 'timestamptz' }, 's')}
    cross join lateral (
      select l.* from lines l
      where l.card_id = s.card_id and l.occurred_at >= s."from"
      ${BY_INDEX}
    ) l`.execute(trx)
  for (const line of lines) tails.get(line.card_id)?.lines.push(line)
  return tails
}

/** Writes the card rows. */
export async function updateCards (trx: Trx, rows: readonly CardRow[]): Promise<void> {
  await sql`
    update cards c
    set code = r.code, campaign_id = r.campaign_id, campaign = r.campaign, customer_id = r.customer_id, active = r.active,
        deleted_at = r.deleted_at, clocks = r.clocks::json, holders = r.holders::json,
        balance = r.balance, opening = r.opening, earned = r.earned, spent = r.spent, refunded = r.refunded, expired = r.expired,
        adjusted = r.adjusted, transferred = r.transferred, unexplained = r.unexplained, pending = r.pending, movements = r.movements,
        first_movement_at = r.first_movement_at, last_movement_at = r.last_movement_at
    from ${recordset(rows, {
      card_id: 'text',
      code: 'text',
      campaign_id: 'text',
      campaign: 'text',
      customer_id: 'text',
      active: 'boolean',
      deleted_at: 'timestamptz',
      clocks: 'text',
      holders: 'text',
      balance: 'numeric',
      opening: 'numeric',
      earned: 'numeric',
      spent: 'numeric',
      refunded: 'numeric',
      expired: 'numeric',
      adjusted: 'numeric',
      transferred: 'numeric',
      unexplained: 'numeric',
      pending: 'numeric',
      movements: 'bigint',
      first_movement_at: 'timestamptz',
      last_movement_at: 'timestamptz'
    })}
    where c.card_id = r.card_id`.execute(trx)
}

/** The end of a card's statement as it shall stand. */
export interface NewTail { card_id: string, from: Instant, lines: Line[] }

/** Puts the refolded ends of statements in the place of the stored ones. The cards' rows must be locked: nobody else writes their lines. */
export async function replaceTails (trx: Trx, tails: readonly NewTail[]): Promise<void> {
  if (tails.length === 0) return
  await sql`
    delete from lines
    where ctid = any (array(
      select l.ctid
      from ${recordset(tails.map(({ card_id, from }) => ({ card_id, from })), { card_id: 'text', from: 'timestamptz' }, 's')}
      cross join lateral (
        select l.ctid from lines l
        where l.card_id = s.card_id and l.occurred_at >= s."from"
        ${BY_INDEX}
      ) l
    ))`.execute(trx)
  const lines = tails.flatMap(({ card_id, lines }) => lines.map(line => ({ ...line, card_id })))
  await sql`
    insert into lines
      (card_id, occurred_at, tie, movement_id, kind, points, balance, reported_balance, recorded_at, order_id, earning_rule_id, event_id)
    select card_id, occurred_at, tie, movement_id, kind, points, balance, reported_balance, recorded_at, order_id, earning_rule_id, event_id
    from ${recordset(lines, {
      card_id: 'text',
      occurred_at: 'timestamptz',
      tie: 'integer',
      movement_id: 'text',
      kind: 'text',
      points: 'numeric',
      balance: 'numeric',
      reported_balance: 'numeric',
      recorded_at: 'timestamptz',
      order_id: 'text',
      earning_rule_id: 'text',
      event_id: 'text'
    })}`.execute(trx)
}

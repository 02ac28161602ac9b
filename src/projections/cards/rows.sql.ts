import { sql } from 'kysely'
import type { Instant } from '../../ledger/instant.ts'
import type { StoredLine } from '../../ledger/totals.ts'
import type { Movement } from '../../ledger/movements.ts'
import type { Trx } from '../../postgres/database.ts'
import { lockOrInsert } from '../../postgres/lock-or-insert.ts'
import { BY_INDEX, unnest } from '../../postgres/unnest.ts'
import type { CardRow, StatementLineRow } from '../../postgres/tables.ts'

/** The end of a card's stored statement, from the earliest moment that a step touches. */
export interface Tail {
  from: Instant
  lines: StatementLineRow[]
  /** The running balance before `from`; null when there is no line before it. */
  balance_before: bigint | null
}

/**
 * Locks the rows of cards in key order, and inserts the missing ones: a card that changed holder is observed in two
 * shards.
 */
export async function lockCards (trx: Trx, ids: readonly string[]): Promise<CardRow[]> {
  return await lockOrInsert(ids, ({ card_id }) => card_id, async ids => await selectCards(trx, ids), async missing => {
    await sql`
      insert into cards
        (card_id, field_times, holders, balance, opening, earned, spent, refunded, expired, adjusted, transferred, unexplained, pending, movements)
      select id, '{}', '[]', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 from unnest(${missing}::text[]) as t (id) order by id collate "C"
      on conflict do nothing`.execute(trx)
  })
}

async function selectCards (trx: Trx, ids: readonly string[]): Promise<CardRow[]> {
  return await trx.selectFrom('cards').selectAll()
    .where('card_id', '=', sql<string>`any (${ids}::text[])`)
    .orderBy('card_id')
    .forUpdate()
    .execute()
}

/**
 * Finds the tail of each card. Most cards get movements behind their last line only: their tail has no lines to read,
 * and one lookup of the last line shows it.
 * @param reobserved cards of which some touched movement was observed before, so that it may have a line
 */
export async function findTails (trx: Trx, touched: ReadonlyMap<string, readonly Movement[]>, reobserved: ReadonlySet<string>): Promise<Map<string, Tail>> {
  const perhaps = [...touched].filter(([card_id, movements]) => !reobserved.has(card_id) && movements.every(({ kind }) => kind !== 'opening'))
  const ends = await readEnds(trx, perhaps.map(([card_id]) => card_id))
  const tails = new Map<string, Tail>()
  for (const [card_id, movements] of perhaps) {
    const from = movements.reduce((least, { occurred_at }) => occurred_at < least ? occurred_at : least, LAST)
    const end = ends.get(card_id)
    if (end === undefined || end.occurred_at < from) tails.set(card_id, { from, lines: [], balance_before: end?.balance ?? null })
  }
  const others = await readTails(trx, new Map([...touched].filter(([card_id]) => !tails.has(card_id))))
  for (const [card_id, tail] of others) tails.set(card_id, tail)
  return tails
}

/** Later than every instant. */
const LAST = '~' as Instant

/** The last line of each card that has any. */
async function readEnds (trx: Trx, ids: readonly string[]): Promise<Map<string, Pick<StatementLineRow, 'occurred_at' | 'balance'>>> {
  if (ids.length === 0) return new Map()
  const { rows } = await sql<Pick<StatementLineRow, 'card_id' | 'occurred_at' | 'balance'>>`
    select c.card_id, l.occurred_at, l.balance
    from unnest(${ids}::text[]) as c (card_id)
    cross join lateral (
      select l.occurred_at, l.balance from statement_lines l
      where l.card_id = c.card_id
      order by l.occurred_at desc, l.ordinal desc
      limit 1
    ) l`.execute(trx)
  return new Map(rows.map(({ card_id, ...end }) => [card_id, end]))
}

/** Reads the lines of each card from the earliest new or former time of its touched movements. */
export async function readTails (trx: Trx, touched: ReadonlyMap<string, readonly Movement[]>): Promise<Map<string, Tail>> {
  const movements = [...touched.values()].flat()
  if (movements.length === 0) return new Map()
  const { rows: starts } = await sql<{ card_id: string, from: Instant, balance_before: bigint | null }>`
    with starts as (
      select t.card_id, min(least(t.occurred_at, l.occurred_at, first.occurred_at)) as "from"
      from ${unnest(movements, { card_id: 'text', movement_id: 'text', kind: 'text', occurred_at: 'timestamptz' }, 't')}
      left join lateral (
        select l.occurred_at from statement_lines l
        where l.movement_id = t.movement_id and l.card_id = t.card_id
        ${BY_INDEX}
      ) l on true
      -- An opening counts from the first line on, whenever the card was made.
      left join lateral (
        select l.occurred_at from statement_lines l
        where l.card_id = t.card_id and t.kind = 'opening'
        order by l.occurred_at
        limit 1
      ) first on true
      group by t.card_id
    )
    select s.card_id, s."from", before.balance as balance_before
    from starts s
    left join lateral (
      select l.balance from statement_lines l
      where l.card_id = s.card_id and l.occurred_at < s."from"
      order by l.occurred_at desc, l.ordinal desc
      limit 1
    ) before on true`.execute(trx)
  const tails = new Map<string, Tail>(starts.map(({ card_id, from, balance_before }) => [card_id, { from, balance_before, lines: [] }]))
  const { rows: lines } = await sql<StatementLineRow>`
    select l.*
    from ${unnest(starts, { card_id: 'text', from: 'timestamptz' }, 's')}
    cross join lateral (
      select l.* from statement_lines l
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
        deleted_at = r.deleted_at, field_times = r.field_times, holders = r.holders,
        balance = r.balance, opening = r.opening, earned = r.earned, spent = r.spent, refunded = r.refunded, expired = r.expired,
        adjusted = r.adjusted, transferred = r.transferred, unexplained = r.unexplained, pending = r.pending, movements = r.movements,
        first_movement_at = r.first_movement_at, last_movement_at = r.last_movement_at
    from ${unnest(rows, {
      card_id: 'text',
      code: 'text',
      campaign_id: 'text',
      campaign: 'text',
      customer_id: 'text',
      active: 'boolean',
      deleted_at: 'timestamptz',
      field_times: 'jsonb',
      holders: 'jsonb',
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

/** The new end of a card's statement. `added`: it replaces no line. */
export interface NewTail { card_id: string, from: Instant, lines: StoredLine[], added?: boolean }

/**
 * Replaces the stored ends of statements by the refolded ones. The cards' rows must be locked: nobody else writes their
 * lines.
 */
export async function replaceTails (trx: Trx, tails: readonly NewTail[]): Promise<void> {
  const replaced = tails.filter(({ added }) => added !== true)
  if (replaced.length > 0) await dropTails(trx, replaced)
  const lines = tails.flatMap(({ card_id, lines }) => lines.map(line => ({ ...line, card_id })))
  if (lines.length > 0) await addLines(trx, lines)
}

async function dropTails (trx: Trx, tails: readonly NewTail[]): Promise<void> {
  await sql`
    delete from statement_lines
    where ctid = any (array(
      select l.ctid
      from ${unnest(tails, { card_id: 'text', from: 'timestamptz' }, 's')}
      cross join lateral (
        select l.ctid from statement_lines l
        where l.card_id = s.card_id and l.occurred_at >= s."from"
        ${BY_INDEX}
      ) l
    ))`.execute(trx)
}

async function addLines (trx: Trx, lines: ReadonlyArray<StoredLine & { card_id: string }>): Promise<void> {
  await sql`
    insert into statement_lines
      (card_id, occurred_at, ordinal, movement_id, kind, points, balance, reported_balance, recorded_at, order_id, earning_rule_id, event_id,
       running_totals)
    select card_id, occurred_at, ordinal, movement_id, kind, points, balance, reported_balance, recorded_at, order_id, earning_rule_id, event_id,
           running_totals
    from ${unnest(lines, {
      card_id: 'text',
      occurred_at: 'timestamptz',
      ordinal: 'integer',
      movement_id: 'text',
      kind: 'text',
      points: 'numeric',
      balance: 'numeric',
      reported_balance: 'numeric',
      recorded_at: 'timestamptz',
      order_id: 'text',
      earning_rule_id: 'text',
      event_id: 'text',
      running_totals: 'jsonb'
    })}
    order by card_id collate "C", occurred_at`.execute(trx)
}

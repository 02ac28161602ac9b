import { sql } from 'kysely'
import type { Instant } from '../../ledger/instant.ts'
import { WINDOW_MICROSECONDS } from '../../ledger/instant-distance.ts'
import { CROWD } from '../../ledger/settle.ts'
import type { BalanceSnapshot } from '../../ledger/snapshots.ts'
import type { StoredLine } from '../../ledger/totals.ts'
import type { Movement } from '../../ledger/movements.ts'
import type { Trx } from '../../postgres/database.ts'
import { BY_INDEX, unnest } from '../../postgres/unnest.ts'
import type { StatementLineRow } from '../../postgres/tables.ts'

/** How far a movement that is not dated exactly can be from its true time. */
export const WINDOW = sql`interval '${sql.raw(String(WINDOW_MICROSECONDS))} microseconds'`

/** Before and after every instant. */
export const FIRST = '0001-01-01T00:00:00.000000Z' as Instant
export const LAST = '9999-12-31T23:59:59.999999Z' as Instant

/** The end of a card's statement as it is stored. */
export interface StatementEnd {
  /** The last lines, oldest first, at most END_LINES. */
  lines: StatementLineRow[]
  /** True: a balance near the end does not join up, or a movement was moved. */
  unsettled: boolean
  /** How many balance snapshots are as of `from` or later. */
  later_snapshots: bigint
}

/** So many lines show whether a snapshot fits the end of a statement, unless several were written within seconds. */
const END_LINES = 3

/** The ends of some cards' statements, before `from`. Cards without lines and snapshots are left out. */
export async function readEnds (trx: Trx, cards: ReadonlyArray<{ card_id: string, from: Instant }>): Promise<Map<string, StatementEnd>> {
  const ends = new Map<string, StatementEnd>()
  if (cards.length === 0) return ends
  const { rows } = await sql<StatementLineRow & Omit<StatementEnd, 'lines'> & { of_card: string }>`
    select c.card_id as of_card, later.unsettled, later.later_snapshots, l.*
    from ${unnest(cards, { card_id: 'text', from: 'timestamptz' }, 'c')}
    left join lateral (
      select l.* from statement_lines l
      where l.card_id = c.card_id
      order by l.occurred_at desc, l.ordinal desc
      limit ${END_LINES}
    ) l on true
    cross join lateral (
      select exists (
        select from statement_lines u
        where u.card_id = c.card_id and u.occurred_at >= c."from" - 2 * ${WINDOW} and (u.kind = 'unexplained' or u.dated_at is not null)
      ) as unsettled, (
        select count(*) from card_snapshots s where s.card_id = c.card_id and s.figure = 'balance' and s.occurred_at >= c."from"
      ) as later_snapshots
      ${BY_INDEX}
    ) later`.execute(trx)
  for (const { of_card, unsettled, later_snapshots, ...line } of rows) {
    const end = ends.get(of_card) ?? { lines: [], unsettled, later_snapshots }
    if ((line.card_id as string | null) !== null) end.lines.unshift(line)
    ends.set(of_card, end)
  }
  return ends
}

/** The end of a card's stored statement, from a time on that what changed cannot reach beyond. */
export interface Tail {
  from: Instant
  /** The stored lines from there on. */
  lines: StatementLineRow[]
  /** The running balance before `from`; null when there is no line before it. */
  balance_before: bigint | null
  /** The same by movements alone (`FoldContext`). */
  joined: bigint | null
  /** The lines within a window before `from`, oldest first. */
  earlier: StatementLineRow[]
  /** The balance snapshots from there on. */
  snapshots: BalanceSnapshot[]
}

/** What changed on a card: its earliest time, of movements and snapshots. */
export interface ChangeOnCard { card_id: string, at: Instant }

/** The earliest time of the stored lines of some movements, by card; with an opening, the beginning of its card. */
export async function findFormerLines (trx: Trx, movements: readonly Movement[]): Promise<Map<string, Instant>> {
  if (movements.length === 0) return new Map()
  const { rows } = await sql<{ card_id: string, at: Instant }>`
    select t.card_id, min(least(l.occurred_at, l.dated_at)) as at
    from ${unnest(movements, { card_id: 'text', movement_id: 'text' }, 't')}
    cross join lateral (
      select l.occurred_at, l.dated_at from statement_lines l
      where l.movement_id = t.movement_id and l.card_id = t.card_id
      ${BY_INDEX}
    ) l
    group by t.card_id`.execute(trx)
  return new Map(rows.map(({ card_id, at }) => [card_id, at]))
}

/**
 * Where each card must be folded again from, if something changed at a time. Movements are put in order by balances
 * within two windows (`settle`), and a snapshot is judged by the next stated balance after it. So the tail begins at a
 * line with a stated balance two windows before the change, and with none that moved from one side of it to the other.
 * Without such a line it is the whole history.
 */
export async function findTailStarts (trx: Trx, changed: readonly ChangeOnCard[]): Promise<Map<string, Instant>> {
  const starts = new Map<string, Instant>()
  for (let left = changed; left.length > 0;) {
    const { rows } = await sql<{ card_id: string, from: Instant | null, moved_from: Instant | null }>`
      select c.card_id, stated.occurred_at as "from", moved.at as moved_from
      from ${unnest(left, { card_id: 'text', at: 'timestamptz' }, 'c')}
      left join lateral (
        select l.occurred_at from statement_lines l
        where l.card_id = c.card_id and l.occurred_at <= c.at - 2 * ${WINDOW} and l.reported_balance is not null and l.kind <> 'unexplained'
        order by l.occurred_at desc
        limit 1
      ) stated on true
      left join lateral (
        select min(least(l.occurred_at, l.dated_at)) as at from statement_lines l
        where l.card_id = c.card_id and l.dated_at is not null
          and l.occurred_at between stated.occurred_at - ${WINDOW} and stated.occurred_at + ${WINDOW}
          and least(l.occurred_at, l.dated_at) < stated.occurred_at and greatest(l.occurred_at, l.dated_at) >= stated.occurred_at
      ) moved on true`.execute(trx)
    left = []
    for (const { card_id, from, moved_from } of rows) {
      if (moved_from === null) starts.set(card_id, from ?? FIRST)
      else left = [...left, { card_id, at: moved_from }]
    }
  }
  return starts
}

/** Reads the tails of some cards from their starts on. */
export async function readTails (trx: Trx, starts: ReadonlyMap<string, Instant>): Promise<Map<string, Tail>> {
  const tails = new Map([...starts].map(([card_id, from]): [string, Tail] => [card_id, { from, lines: [], balance_before: null, joined: null, earlier: [], snapshots: [] }]))
  if (tails.size === 0) return tails
  const of = [...starts].map(([card_id, from]) => ({ card_id, from }))
  const lines = await readLinesFrom(trx, of)
  for (const line of lines) tails.get(line.card_id)?.lines.push(line)
  const later = of.filter(({ from }) => from !== FIRST)
  for (const { card_id, ...before } of await readBeforeTails(trx, later)) Object.assign(tails.get(card_id) ?? {}, before)
  for (const line of await readEarlier(trx, later)) tails.get(line.card_id)?.earlier.push(line)
  for (const snapshot of await readSnapshots(trx, of)) tails.get(snapshot.card_id)?.snapshots.push(snapshot)
  return tails
}

type Start = { card_id: string, from: Instant }

async function readLinesFrom (trx: Trx, starts: readonly Start[]): Promise<StatementLineRow[]> {
  const { rows } = await sql<StatementLineRow>`
    select l.*
    from ${unnest(starts, { card_id: 'text', from: 'timestamptz' }, 's')}
    cross join lateral (
      select l.* from statement_lines l
      where l.card_id = s.card_id and l.occurred_at >= s."from"
      ${BY_INDEX}
    ) l`.execute(trx)
  return rows
}

/** The balance before a time: of the lines, and by movements alone since the last one that states its balance. */
export async function readBeforeTails (trx: Trx, starts: readonly Start[]): Promise<Array<{ card_id: string, balance_before: bigint, joined: bigint | null }>> {
  if (starts.length === 0) return []
  const { rows } = await sql<{ card_id: string, balance_before: bigint, joined: bigint | null }>`
    select s.card_id, before.balance as balance_before, stated.balance + moved.points as joined
    from ${unnest(starts, { card_id: 'text', from: 'timestamptz' }, 's')}
    cross join lateral (
      select l.balance from statement_lines l
      where l.card_id = s.card_id and l.occurred_at < s."from"
      order by l.occurred_at desc, l.ordinal desc
      limit 1
    ) before
    left join lateral (
      select l.balance, l.occurred_at, l.ordinal from statement_lines l
      where l.card_id = s.card_id and l.occurred_at < s."from" and l.reported_balance is not null and l.kind <> 'unexplained'
      order by l.occurred_at desc, l.ordinal desc
      limit 1
    ) stated on true
    cross join lateral (
      select coalesce(sum(l.points), 0) as points from statement_lines l
      where l.card_id = s.card_id and l.occurred_at < s."from" and (l.occurred_at, l.ordinal) > (stated.occurred_at, stated.ordinal)
        and l.kind <> 'unexplained'
    ) moved`.execute(trx)
  return rows
}

/** The lines within a window before a time, oldest first. */
export async function readEarlier (trx: Trx, starts: readonly Start[]): Promise<StatementLineRow[]> {
  if (starts.length === 0) return []
  const { rows } = await sql<StatementLineRow>`
    select l.*
    from ${unnest(starts, { card_id: 'text', from: 'timestamptz' }, 's')}
    cross join lateral (
      select l.* from statement_lines l
      where l.card_id = s.card_id and l.occurred_at < s."from" and l.occurred_at >= s."from" - ${WINDOW}
      order by l.occurred_at desc, l.ordinal desc
      limit ${4 * CROWD}
    ) l
    order by l.card_id, l.occurred_at, l.ordinal`.execute(trx)
  return rows
}

/** The balances that cards were seen with from a time on. @param known_at null: whenever they were stored */
export async function readSnapshots (trx: Trx, starts: readonly Start[], known_at: Instant | null = null): Promise<BalanceSnapshot[]> {
  if (starts.length === 0) return []
  const { rows } = await sql<BalanceSnapshot>`
    select s.card_id, o.occurred_at, o.points as balance, o.recorded_at
    from ${unnest(starts, { card_id: 'text', from: 'timestamptz' }, 's')}
    cross join lateral (
      select o.* from card_snapshots o
      where o.card_id = s.card_id and o.figure = 'balance' and o.occurred_at >= s."from" and o.recorded_at <= ${known_at ?? 'infinity'}::timestamptz
      ${BY_INDEX}
    ) o`.execute(trx)
  return rows
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
      (card_id, occurred_at, ordinal, movement_id, kind, points, balance, reported_balance, observed, dated_at, exact, recorded_at,
       order_id, earning_rule_id, event_id, running_totals)
    select card_id, occurred_at, ordinal, movement_id, kind, points, balance, reported_balance, observed, dated_at, exact, recorded_at,
           order_id, earning_rule_id, event_id, running_totals
    from ${unnest(lines, {
      card_id: 'text',
      occurred_at: 'timestamptz',
      ordinal: 'integer',
      movement_id: 'text',
      kind: 'text',
      points: 'numeric',
      balance: 'numeric',
      reported_balance: 'numeric',
      observed: 'boolean',
      dated_at: 'timestamptz',
      exact: 'boolean',
      recorded_at: 'timestamptz',
      order_id: 'text',
      earning_rule_id: 'text',
      event_id: 'text',
      running_totals: 'jsonb'
    })}
    order by card_id collate "C", occurred_at`.execute(trx)
}

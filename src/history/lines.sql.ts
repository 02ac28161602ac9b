import { sql, type RawBuilder } from 'kysely'
import type { Instant } from '../ledger/instant.ts'
import type { StoredLine } from '../ledger/milestones.ts'
import type { RecordedObservation } from '../ledger/movements.ts'
import type { Before, LineTally } from '../ledger/totals.ts'
import type { LineMark } from '../projections/cards/reads.sql.ts'
import type { Trx } from '../postgres/database.ts'
import { BY_INDEX, unnest } from '../postgres/unnest.ts'
import type { StatementLineRow, MovementObservationRow } from '../postgres/tables.ts'
import { recordedOf } from '../projections/cards/observations.sql.ts'

/** Up to where a card's live lines stand in an answer about the past: before `from`, and not after `at`. Null: no such end. */
export interface Cut { card_id: string, from: Instant | null, at: Instant | null }

function cuts (of: readonly Cut[]): RawBuilder<unknown> {
  return unnest(of, { card_id: 'text', from: 'timestamptz', at: 'timestamptz' }, 'cut')
}

// One bound that the index on lines can use; least() passes over a null.
const end = sql`coalesce(least(cut."from", cut.at + interval '1 microsecond'), 'infinity')`

/** The movements of some cards of which something was stored after a time. */
function reobserved (card_ids: readonly string[], known_at: Instant): RawBuilder<unknown> {
  return sql`(
    select distinct s.card_id, s.movement_id
    from unnest(${card_ids}::text[]) as c (card_id)
    cross join lateral (
      select s.card_id, s.movement_id from movement_observations s
      where s.card_id = c.card_id and s.recorded_at > ${known_at}::timestamptz
      ${BY_INDEX}
    ) s)`
}

/** Both sides of a time are looked at so far, then further: which of them is longer costs a few times the shorter one at most. */
const LOOKS = sql`unnest('{200, 1000, 5000, 25000, 125000, 625000}'::integer[])`

/**
 * Cards of which less had been stored by a time than after it, and a good deal after it, each with the least time of any line and
 * any telling by then. What was known is sooner folded from the beginning than what was not is taken out.
 */
export async function findBarelyKnown (trx: Trx, card_ids: readonly string[], known_at: Instant): Promise<Map<string, Instant>> {
  const { rows } = await sql<{ card_id: string, from: Instant | null }>`
    select c.card_id, least(known."from", first.occurred_at) as "from"
    from unnest(${card_ids}::text[]) as c (card_id)
    cross join lateral (
      select longer.later
      from ${LOOKS} as n
      cross join lateral (
        select exists (select from movement_observations s where s.card_id = c.card_id and s.recorded_at > ${known_at}::timestamptz offset n) as later
        ${BY_INDEX}
      ) longer
      where not (longer.later and exists (select from movement_observations s where s.card_id = c.card_id and s.recorded_at <= ${known_at}::timestamptz offset n))
      limit 1
    ) side
    cross join lateral (
      select min(s.occurred_at) as "from" from movement_observations s
      -- Of the side here, so that it comes after it.
      where s.card_id = c.card_id and s.recorded_at <= ${known_at}::timestamptz and side.later
    ) known
    left join lateral (
      select l.occurred_at from statement_lines l where l.card_id = c.card_id order by l.occurred_at limit 1
    ) first on true
    where side.later`.execute(trx)
  return new Map(rows.flatMap(({ card_id, from }) => from === null ? [] : [[card_id, from]]))
}

/** All that had been stored of some cards' movements by a time. */
export async function readKnown (trx: Trx, card_ids: readonly string[], known_at: Instant): Promise<RecordedObservation[]> {
  if (card_ids.length === 0) return []
  const { rows } = await sql<MovementObservationRow>`
    select s.* from movement_observations s where s.card_id = any (${card_ids}::text[]) and s.recorded_at <= ${known_at}::timestamptz`.execute(trx)
  return rows.map(recordedOf)
}

/**
 * For each card of which something was stored after a time, the least time that any telling gives any movement concerned:
 * before it the live lines are what they were. Cards that nothing was stored of are left out.
 */
export async function findReobserved (trx: Trx, card_ids: readonly string[], known_at: Instant): Promise<Map<string, Instant>> {
  const { rows } = await sql<{ card_id: string, from: Instant }>`
    select told.card_id, least(told."from", first.occurred_at) as "from"
    from (
      select s.card_id, min(s.occurred_at) as "from", bool_or(s.kind = 'opening') as opened
      from ${reobserved(card_ids, known_at)} r
      cross join lateral (
        select s.* from movement_observations s
        where s.movement_id = r.movement_id and s.card_id = r.card_id
        ${BY_INDEX}
      ) s
      group by s.card_id
    ) told
    -- What a card was made with counts from its first line on, whenever it was made.
    left join lateral (
      select l.occurred_at from statement_lines l
      where l.card_id = told.card_id and told.opened
      order by l.occurred_at
      limit 1
    ) first on true`.execute(trx)
  return new Map(rows.map(({ card_id, from }) => [card_id, from]))
}

/** What had been stored by a time of the movements of which more was stored later. */
export async function readReobserved (trx: Trx, card_ids: readonly string[], known_at: Instant): Promise<RecordedObservation[]> {
  // The time outside of the look-up: inside, the index over times looked cheaper than the key, and read a history for each movement.
  const { rows } = await sql<MovementObservationRow>`
    select s.*
    from ${reobserved(card_ids, known_at)} r
    cross join lateral (
      select s.* from movement_observations s
      where s.movement_id = r.movement_id and s.card_id = r.card_id
      ${BY_INDEX}
    ) s
    where s.recorded_at <= ${known_at}::timestamptz`.execute(trx)
  return rows.map(recordedOf)
}

/** The live lines from `from` to `at` of movements that were not told anew after a time; without unexplained ones. */
export async function readUntouched (trx: Trx, of: readonly Cut[], known_at: Instant): Promise<StatementLineRow[]> {
  const { rows } = await sql<StatementLineRow>`
    select l.*
    from ${cuts(of)}
    cross join lateral (
      select l.* from statement_lines l
      where l.card_id = cut.card_id and l.occurred_at >= cut."from" and l.occurred_at <= coalesce(cut.at, 'infinity') and l.kind <> 'unexplained'
      ${BY_INDEX}
    ) l
    -- Not a join: thought to be of few rows, it compared each line with each movement. This is looked up in a hash, whatever the statistics say.
    where (l.card_id, l.movement_id) not in (select r.card_id, r.movement_id from ${reobserved(of.map(({ card_id }) => card_id), known_at)} r)`.execute(trx)
  return rows
}

/** What stands right before each cut. */
export async function readBefore (trx: Trx, of: readonly Cut[]): Promise<Map<string, Before>> {
  const { rows } = await sql<Before & { card_id: string }>`
    select cut.card_id, line.balance, moved.occurred_at as last_movement_at
    from ${cuts(of)}
    left join lateral (
      select l.balance from statement_lines l
      where l.card_id = cut.card_id and l.occurred_at < ${end}
      order by l.occurred_at desc, l.ordinal desc
      limit 1
    ) line on true
    left join lateral (
      select l.occurred_at from statement_lines l
      where l.card_id = cut.card_id and l.occurred_at < ${end} and l.kind not in ('unexplained', 'opening')
      order by l.occurred_at desc, l.ordinal desc
      limit 1
    ) moved on true`.execute(trx)
  return new Map(rows.map(({ card_id, ...before }) => [card_id, before]))
}

/** The milestone next to a cut, as it is stored, and the lines between the two, added up by kind. */
export interface NextToCut {
  /** Where the milestone stands: before the cut where there is any, else behind it. */
  side: 'before' | 'behind'
  /** Null where there is none behind it either: then the end of the lines stands for it. */
  running_totals: StoredLine['running_totals']
  between: LineTally[]
}

/** Adds up the live lines between each cut and the milestone next to it: as many for a long history as for a short one. */
export async function addUpToCut (trx: Trx, of: readonly Cut[]): Promise<Map<string, NextToCut>> {
  const { rows } = await sql<Omit<NextToCut, 'between'> & Nullable<LineTally> & { card_id: string }>`
    select cut.card_id, stretch.side, stretch.running_totals, tally.*
    from ${cuts(of)}
    left join lateral (
      select l.occurred_at, l.ordinal, l.running_totals from statement_lines l
      where l.card_id = cut.card_id and l.occurred_at < ${end} and l.running_totals is not null
      order by l.occurred_at desc, l.ordinal desc
      limit 1
    ) before on true
    left join lateral (
      select l.occurred_at, l.ordinal, l.running_totals from statement_lines l
      where l.card_id = cut.card_id and l.occurred_at >= ${end} and l.running_totals is not null and before.running_totals is null
      order by l.occurred_at, l.ordinal
      limit 1
    ) behind on true
    cross join lateral (
      -- From the first place, exclusive, to the last one, inclusive; no line has a ordinal of -1.
      select 'before' as side, before.running_totals, before.occurred_at as from_at, before.ordinal as from_tie, ${end} as to_at, -1 as to_tie
      where before.running_totals is not null
      union all
      select 'behind', behind.running_totals, ${end}, -1,
             coalesce(behind.occurred_at, 'infinity'), coalesce(behind.ordinal, 2147483647)
      where before.running_totals is null
    ) stretch
    left join lateral (
      select l.kind, sum(l.points) as points, count(*) as lines
      from statement_lines l
      where l.card_id = cut.card_id
        and (l.occurred_at, l.ordinal) > (stretch.from_at, stretch.from_tie) and (l.occurred_at, l.ordinal) <= (stretch.to_at, stretch.to_tie)
      group by l.kind
    ) tally on true`.execute(trx)
  const stretches = new Map<string, NextToCut>()
  for (const { card_id, side, running_totals, kind, points, lines } of rows) {
    const stretch = stretches.get(card_id) ?? { side, running_totals, between: [] }
    stretches.set(card_id, stretch)
    if (kind !== null) stretch.between.push({ kind, points: points ?? 0n, lines: lines ?? 0n })
  }
  return stretches
}

type Nullable<Row> = { [Column in keyof Row]: Row[Column] | null }

/** The live lines before each cut, newest first over all cards; of each card at most a page, however long its history. */
export async function listLinesBefore (trx: Trx, of: readonly Cut[], page: { before?: LineMark | undefined, limit: number }): Promise<StatementLineRow[]> {
  const { before, limit } = page
  const older = before === undefined
    ? sql`true`
    : sql`l.occurred_at <= ${before.occurred_at}::timestamptz
          and (l.occurred_at, l.card_id, l.ordinal) < (${before.occurred_at}::timestamptz, ${before.card_id}, ${before.ordinal}::integer)`
  const { rows } = await sql<StatementLineRow>`
    select line.*
    from ${cuts(of)}
    cross join lateral (
      select l.* from statement_lines l
      where l.card_id = cut.card_id and l.occurred_at < ${end} and ${older}
      order by l.occurred_at desc, l.ordinal desc
      limit ${limit}
    ) line
    order by line.occurred_at desc, line.card_id desc, line.ordinal desc
    limit ${limit}`.execute(trx)
  return rows
}

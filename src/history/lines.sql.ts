import { sql, type RawBuilder } from 'kysely'
import type { Instant } from '../ledger/instant.ts'
import type { StoredLine, Before, LineTally } from '../ledger/totals.ts'
import type { RecordedObservation } from '../ledger/movements.ts'
import type { LineMark } from '../projections/cards/reads.sql.ts'
import type { Trx } from '../postgres/database.ts'
import { BY_INDEX, unnest } from '../postgres/unnest.ts'
import type { StatementLineRow, MovementObservationRow } from '../postgres/tables.ts'
import { recordedOf } from '../projections/cards/observations.sql.ts'
import { FIRST } from '../projections/cards/tails.sql.ts'

/**
 * Which live lines of a card are part of an answer about the past: those before `from` and not after `at`. Null: no
 * such bound.
 */
export interface Cut { card_id: string, from: Instant | null, at: Instant | null }

function cuts (of: readonly Cut[]): RawBuilder<unknown> {
  return unnest(of, { card_id: 'text', from: 'timestamptz', at: 'timestamptz' }, 'cut')
}

// One bound that the index on lines can use; least() ignores a null.
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

/** Probes both sides of a time with growing offsets, so that finding the longer side costs O(shorter side). */
const PROBES = sql`unnest('{200, 1000, 5000, 25000, 125000, 625000}'::integer[])`

/**
 * Cards of which more was stored after a time than by then, and at least 200 observations after it. Their history by
 * then is short, so it is folded from the beginning.
 */
export async function findBarelyKnown (trx: Trx, card_ids: readonly string[], known_at: Instant): Promise<Set<string>> {
  const { rows } = await sql<{ card_id: string }>`
    select c.card_id
    from unnest(${card_ids}::text[]) as c (card_id)
    cross join lateral (
      select longer.later
      from ${PROBES} as n
      cross join lateral (
        select exists (select from movement_observations s where s.card_id = c.card_id and s.recorded_at > ${known_at}::timestamptz offset n) as later
        ${BY_INDEX}
      ) longer
      where not (longer.later and exists (select from movement_observations s where s.card_id = c.card_id and s.recorded_at <= ${known_at}::timestamptz offset n))
      limit 1
    ) side
    where side.later`.execute(trx)
  return new Set(rows.map(({ card_id }) => card_id))
}

/** All observations of some cards' movements that had been stored by a time. */
export async function readObservationsBy (trx: Trx, card_ids: readonly string[], known_at: Instant): Promise<RecordedObservation[]> {
  if (card_ids.length === 0) return []
  const { rows } = await sql<MovementObservationRow>`
    select s.* from movement_observations s where s.card_id = any (${card_ids}::text[]) and s.recorded_at <= ${known_at}::timestamptz`.execute(trx)
  return rows.map(recordedOf)
}

/**
 * For each card of which something was stored after a time: the least time that any observation gives any of the
 * movements concerned, or that a snapshot is as of. Cards of which nothing was stored since are left out.
 */
export async function findChangedSince (trx: Trx, card_ids: readonly string[], known_at: Instant): Promise<Array<{ card_id: string, at: Instant }>> {
  const { rows } = await sql<{ card_id: string, at: Instant }>`
    select changed.card_id, case when bool_or(changed.opened) then ${FIRST}::timestamptz else min(changed.at) end as at
    from (
      -- The points that a card was created with count from its first line on, whenever it was created.
      select s.card_id, s.occurred_at as at, s.kind = 'opening' as opened
      from ${reobserved(card_ids, known_at)} r
      cross join lateral (
        select s.* from movement_observations s
        where s.movement_id = r.movement_id and s.card_id = r.card_id
        ${BY_INDEX}
      ) s
      union all
      select s.card_id, s.occurred_at, false from card_snapshots s
      where s.card_id = any (${card_ids}::text[]) and s.figure = 'balance' and s.recorded_at > ${known_at}::timestamptz
    ) changed
    group by changed.card_id`.execute(trx)
  return rows
}

/** The observations stored by a time, of the movements of which more was stored later. */
export async function readReobserved (trx: Trx, card_ids: readonly string[], known_at: Instant): Promise<RecordedObservation[]> {
  // The time is compared outside of the look-up: inside, the planner preferred the index over times to the key, and
  // read the whole history for each movement.
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

/** The live lines from `from` on of movements of which nothing was stored after a time; without unexplained ones. */
export async function readUntouched (trx: Trx, of: ReadonlyArray<{ card_id: string, from: Instant }>, known_at: Instant): Promise<StatementLineRow[]> {
  const { rows } = await sql<StatementLineRow>`
    select l.*
    from ${unnest(of, { card_id: 'text', from: 'timestamptz' }, 'tail')}
    cross join lateral (
      select l.* from statement_lines l
      where l.card_id = tail.card_id and l.occurred_at >= tail."from" and l.kind <> 'unexplained'
      ${BY_INDEX}
    ) l
    -- Not a join: the planner expected few rows and compared each line with each movement. This is a hash look-up, whatever the statistics say.
    where (l.card_id, l.movement_id) not in (select r.card_id, r.movement_id from ${reobserved(of.map(({ card_id }) => card_id), known_at)} r)`.execute(trx)
  return rows
}

/** What the live lines before a cut end with. */
export interface BeforeCut extends Before {
  /** The time of the last line of which the provider states the balance. */
  stated_at: Instant | null
}

/** The last balance, the last movement and the last stated balance before each cut. */
export async function readBefore (trx: Trx, of: readonly Cut[]): Promise<Map<string, BeforeCut>> {
  const { rows } = await sql<BeforeCut & { card_id: string }>`
    select cut.card_id, line.balance, moved.occurred_at as last_movement_at, stated.occurred_at as stated_at
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
    ) moved on true
    left join lateral (
      select l.occurred_at from statement_lines l
      where l.card_id = cut.card_id and l.occurred_at < ${end} and l.reported_balance is not null
      order by l.occurred_at desc, l.ordinal desc
      limit 1
    ) stated on true`.execute(trx)
  return new Map(rows.map(({ card_id, ...before }) => [card_id, before]))
}

/** What cards held before their first line; cards without lines are left out. */
export async function readCarriedIn (trx: Trx, card_ids: readonly string[]): Promise<Map<string, bigint>> {
  if (card_ids.length === 0) return new Map()
  const { rows } = await sql<{ card_id: string, carried: bigint }>`
    select c.card_id, first.balance - first.points as carried
    from unnest(${card_ids}::text[]) as c (card_id)
    cross join lateral (
      select l.balance, l.points from statement_lines l where l.card_id = c.card_id order by l.occurred_at, l.ordinal limit 1
    ) first`.execute(trx)
  return new Map(rows.map(({ card_id, carried }) => [card_id, carried]))
}

/** The milestone nearest to a cut, as it is stored, and the lines between the two, added up by kind. */
export interface NearestMilestone {
  /** The last milestone before the cut, or the first one after it if there is none before. */
  side: 'before' | 'after'
  /** Null if there is none after it either: then the end of the lines stands for it. */
  running_totals: StoredLine['running_totals']
  between: LineTally[]
}

/** Adds up the live lines between each cut and the nearest milestone: as many for a long history as for a short one. */
export async function addUpToMilestone (trx: Trx, of: readonly Cut[]): Promise<Map<string, NearestMilestone>> {
  const { rows } = await sql<Omit<NearestMilestone, 'between'> & Nullable<LineTally> & { card_id: string }>`
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
    ) after on true
    cross join lateral (
      -- From the first place, exclusive, to the last one, inclusive; no line has an ordinal of -1.
      select 'before' as side, before.running_totals, before.occurred_at as from_at, before.ordinal as from_ordinal, ${end} as to_at, -1 as to_ordinal
      where before.running_totals is not null
      union all
      select 'after', after.running_totals, ${end}, -1,
             coalesce(after.occurred_at, 'infinity'), coalesce(after.ordinal, 2147483647)
      where before.running_totals is null
    ) stretch
    left join lateral (
      select l.kind, sum(l.points) as points, count(*) as lines
      from statement_lines l
      where l.card_id = cut.card_id
        and (l.occurred_at, l.ordinal) > (stretch.from_at, stretch.from_ordinal) and (l.occurred_at, l.ordinal) <= (stretch.to_at, stretch.to_ordinal)
      group by l.kind
    ) tally on true`.execute(trx)
  const milestones = new Map<string, NearestMilestone>()
  for (const { card_id, side, running_totals, kind, points, lines } of rows) {
    const milestone = milestones.get(card_id) ?? { side, running_totals, between: [] }
    milestones.set(card_id, milestone)
    if (kind !== null) milestone.between.push({ kind, points: points ?? 0n, lines: lines ?? 0n })
  }
  return milestones
}

type Nullable<Row> = { [Column in keyof Row]: Row[Column] | null }

/**
 * The live lines before each cut, newest first over all cards; of each card at most a page, however long its history.
 */
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

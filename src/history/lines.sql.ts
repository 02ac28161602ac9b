import { sql, type RawBuilder } from 'kysely'
import type { Instant } from '../ledger/instant.ts'
import type { StoredLine, Before, LineTally } from '../ledger/totals.ts'
import type { RecordedObservation } from '../ledger/movements.ts'
import type { LineMark } from '../projections/cards/reads.sql.ts'
import type { Trx } from '../postgres/database.ts'
import { BY_INDEX, unnest } from '../postgres/unnest.ts'
import type { StatementLineRow, MovementObservationRow } from '../postgres/tables.ts'
import { recordedOf } from '../projections/cards/observations.sql.ts'

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
 * Cards of which more was stored after a time than by then, and at least 200 observations after it. Each comes with the
 * least time of its lines and its observations by then. Their history by then is short, so it is folded from the
 * beginning.
 */
export async function findBarelyKnown (trx: Trx, card_ids: readonly string[], known_at: Instant): Promise<Map<string, Instant>> {
  const { rows } = await sql<{ card_id: string, from: Instant | null }>`
    select c.card_id, least(known."from", first.occurred_at) as "from"
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
    cross join lateral (
      select min(s.occurred_at) as "from" from movement_observations s
      -- Names the side, so that the planner evaluates it after the side.
      where s.card_id = c.card_id and s.recorded_at <= ${known_at}::timestamptz and side.later
    ) known
    left join lateral (
      select l.occurred_at from statement_lines l where l.card_id = c.card_id order by l.occurred_at limit 1
    ) first on true
    where side.later`.execute(trx)
  return new Map(rows.flatMap(({ card_id, from }) => from === null ? [] : [[card_id, from]]))
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
 * movements concerned. Before it, the live lines are what they were. Cards of which nothing was stored since are left
 * out.
 */
export async function findReobserved (trx: Trx, card_ids: readonly string[], known_at: Instant): Promise<Map<string, Instant>> {
  const { rows } = await sql<{ card_id: string, from: Instant }>`
    select observed.card_id, least(observed."from", first.occurred_at) as "from"
    from (
      select s.card_id, min(s.occurred_at) as "from", bool_or(s.kind = 'opening') as opened
      from ${reobserved(card_ids, known_at)} r
      cross join lateral (
        select s.* from movement_observations s
        where s.movement_id = r.movement_id and s.card_id = r.card_id
        ${BY_INDEX}
      ) s
      group by s.card_id
    ) observed
    -- The points that a card was created with count from its first line on, whenever it was created.
    left join lateral (
      select l.occurred_at from statement_lines l
      where l.card_id = observed.card_id and observed.opened
      order by l.occurred_at
      limit 1
    ) first on true`.execute(trx)
  return new Map(rows.map(({ card_id, from }) => [card_id, from]))
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

/**
 * The live lines from `from` to `at` of movements of which nothing was stored after a time; without unexplained ones.
 */
export async function readUntouched (trx: Trx, of: readonly Cut[], known_at: Instant): Promise<StatementLineRow[]> {
  const { rows } = await sql<StatementLineRow>`
    select l.*
    from ${cuts(of)}
    cross join lateral (
      select l.* from statement_lines l
      where l.card_id = cut.card_id and l.occurred_at >= cut."from" and l.occurred_at <= coalesce(cut.at, 'infinity') and l.kind <> 'unexplained'
      ${BY_INDEX}
    ) l
    -- Not a join: the planner expected few rows and compared each line with each movement. This is a hash look-up, whatever the statistics say.
    where (l.card_id, l.movement_id) not in (select r.card_id, r.movement_id from ${reobserved(of.map(({ card_id }) => card_id), known_at)} r)`.execute(trx)
  return rows
}

/** The last balance and the last movement before each cut. */
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

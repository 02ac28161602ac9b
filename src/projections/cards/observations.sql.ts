import { sql } from 'kysely'
import type { Instant } from '../../ledger/instant.ts'
import type { RecordedObservation } from '../../ledger/movements.ts'
import type { Trx } from '../../postgres/database.ts'
import { BY_INDEX, unnest } from '../../postgres/unnest.ts'
import type { MovementObservationRow } from '../../postgres/tables.ts'

/** All observations of the openings of some cards, up to `known_at` where it is given. */
export async function readOpenings (trx: Trx, card_ids: readonly string[], known_at: Instant | null = null): Promise<RecordedObservation[]> {
  const { rows } = await sql<MovementObservationRow>`
    select s.*
    from unnest(${card_ids}::text[]) as c (card_id)
    cross join lateral (
      select s.* from movement_observations s
      where s.movement_id = 'opening:' || c.card_id and s.card_id = c.card_id
        and s.recorded_at <= coalesce(${known_at}::timestamptz, 'infinity')
      ${BY_INDEX}
    ) s`.execute(trx)
  return rows.map(recordedOf)
}

/** A stored observation in the terms of the ledger. */
export function recordedOf (row: MovementObservationRow): RecordedObservation {
  return { ...row, fact_digest: row.fact_digest.toString('hex') } as RecordedObservation
}

/** The observations of some movements: those stored before, and the new ones. */
export interface MovementObservations { known: RecordedObservation[], added: RecordedObservation[] }

/**
 * Stores new observations of movements; a known one stays as it is. The cards' rows must be locked, so that nobody else
 * observes their movements meanwhile.
 * @returns all observations, old and new, of these movements
 */
export async function addMovementObservations (trx: Trx, observations: readonly RecordedObservation[]): Promise<MovementObservations> {
  if (observations.length === 0) return { known: [], added: [] }
  const known = await readMovementObservations(trx, observations)
  const keys = new Set(known.map(keyOf))
  const added = observations.filter(observation => keys.size !== keys.add(keyOf(observation)).size)
  if (added.length > 0) await insertMovementObservations(trx, added)
  return { known, added }
}

/** Neither ids nor keys hold control characters. */
function keyOf ({ movement_id, card_id, event_id, subject }: RecordedObservation): string {
  return `${movement_id}\n${card_id}\n${event_id}\n${subject}`
}

async function readMovementObservations (trx: Trx, movements: ReadonlyArray<Pick<RecordedObservation, 'movement_id' | 'card_id'>>): Promise<RecordedObservation[]> {
  const { rows } = await sql<MovementObservationRow>`
    select s.*
    from (select distinct movement_id, card_id from ${unnest(movements, { movement_id: 'text', card_id: 'text' })}) touched
    cross join lateral (
      select s.* from movement_observations s
      where s.movement_id = touched.movement_id and s.card_id = touched.card_id
      ${BY_INDEX}
    ) s`.execute(trx)
  return rows.map(recordedOf)
}

async function insertMovementObservations (trx: Trx, observations: readonly RecordedObservation[]): Promise<void> {
  await sql`
    insert into movement_observations
      (movement_id, card_id, event_id, subject, source_rank, kind, points, reported_balance, observed_balance, occurred_at, recorded_at,
       order_id, earning_rule_id, holder_id, details, fact_digest)
    select movement_id, card_id, event_id, subject, source_rank, kind, points, reported_balance, observed_balance, occurred_at, recorded_at,
           order_id, earning_rule_id, holder_id, details::json, fact_digest
    from ${unnest(observations, {
      movement_id: 'text',
      card_id: 'text',
      event_id: 'text',
      subject: 'text',
      source_rank: 'smallint',
      kind: 'text',
      points: 'bigint',
      reported_balance: 'bigint',
      observed_balance: 'bigint',
      occurred_at: 'timestamptz',
      recorded_at: 'timestamptz',
      order_id: 'text',
      earning_rule_id: 'text',
      holder_id: 'text',
      details: 'text',
      fact_digest: 'bytea'
    })}
    order by movement_id collate "C"
    on conflict do nothing`.execute(trx)
}

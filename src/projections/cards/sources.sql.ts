import { sql } from 'kysely'
import type { Instant } from '../../ledger/instant.ts'
import type { RecordedObservation } from '../../ledger/movements.ts'
import type { Db } from '../../postgres/database.ts'
import { BY_INDEX, unnest } from '../../postgres/unnest.ts'
import type { EventRow, MovementObservationRow } from '../../postgres/tables.ts'

/** What an event states of a movement. */
export type Observation = Pick<MovementObservationRow, 'movement_id' | 'card_id' | 'event_id' | 'subject' | 'source_rank' | 'kind' | 'points' | 'reported_balance' | 'order_id' | 'earning_rule_id'>

/** All observations of some movements, by movement. */
export async function readObservations (db: Db, movements: ReadonlyArray<Pick<MovementObservationRow, 'movement_id' | 'card_id'>>): Promise<Map<string, Observation[]>> {
  const { rows } = await sql<Observation>`
    select s.movement_id, s.card_id, s.event_id, s.subject, s.source_rank, s.kind, s.points, s.reported_balance, s.order_id, s.earning_rule_id
    from (select distinct movement_id, card_id from ${unnest(movements, { movement_id: 'text', card_id: 'text' })}) m
    join movement_observations s on s.movement_id = m.movement_id and s.card_id = m.card_id`.execute(db)
  const observations = new Map<string, Observation[]>()
  for (const row of rows) {
    const observed = observations.get(row.movement_id)
    if (observed === undefined) observations.set(row.movement_id, [row])
    else observed.push(row)
  }
  return observations
}

/** An observation with columns of its event. */
export type Source = RecordedObservation & Pick<EventRow, 'shard' | 'position' | 'type' | 'sender_kind' | 'sender_id' | 'channel' | 'send_out_id' | 'body_digest' | 'body_bytes'> & {
  /** The time that the event itself states. */
  event_occurred_at: Instant | null
}

/**
 * All observations of some movements of a card that were stored by a time, with their events.
 * @param known_at null: up to now
 */
export async function readSources (db: Db, card_id: string, movement_ids: readonly string[], known_at: Instant | null): Promise<Source[]> {
  const { rows } = await sql<Omit<Source, 'fact_digest'> & Pick<MovementObservationRow, 'fact_digest'>>`
    select s.*, e.shard, e.position, e.type, e.sender_kind, e.sender_id, e.channel, e.send_out_id, e.body_digest, e.body_bytes,
           e.occurred_at as event_occurred_at
    from movement_observations s
    cross join lateral (select * from ledger.events e where e.event_id = s.event_id and e.subject = s.subject ${BY_INDEX}) e
    where s.card_id = ${card_id} and s.movement_id = any (${movement_ids}::text[])
      and s.recorded_at <= ${known_at ?? 'infinity'}::timestamptz`.execute(db)
  return rows.map(row => ({ ...row, fact_digest: row.fact_digest.toString('hex') }))
}

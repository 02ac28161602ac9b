import { sql } from 'kysely'
import type { Instant } from '../../ledger/instant.ts'
import type { RecordedSighting } from '../../ledger/movements.ts'
import type { Db } from '../../postgres/database.ts'
import { BY_INDEX, recordset } from '../../postgres/unnest.ts'
import type { EventRow, SightingRow } from '../../postgres/tables.ts'

/** What an event told of a movement. */
export type Telling = Pick<SightingRow, 'movement_id' | 'card_id' | 'event_id' | 'subject' | 'informed' | 'kind' | 'points' | 'reported_balance' | 'order_id' | 'earning_rule_id'>

/** Every telling of some movements, by movement. */
export async function readTellings (db: Db, movements: ReadonlyArray<Pick<SightingRow, 'movement_id' | 'card_id'>>): Promise<Map<string, Telling[]>> {
  const { rows } = await sql<Telling>`
    select s.movement_id, s.card_id, s.event_id, s.subject, s.informed, s.kind, s.points, s.reported_balance, s.order_id, s.earning_rule_id
    from (select distinct movement_id, card_id from ${recordset(movements, { movement_id: 'text', card_id: 'text' })}) m
    join sightings s on s.movement_id = m.movement_id and s.card_id = m.card_id`.execute(db)
  const tellings = new Map<string, Telling[]>()
  for (const row of rows) {
    const told = tellings.get(row.movement_id)
    if (told === undefined) tellings.set(row.movement_id, [row])
    else told.push(row)
  }
  return tellings
}

/** A telling with what is kept of the event that made it. */
export type Source = RecordedSighting & Pick<EventRow, 'shard' | 'position' | 'type' | 'source' | 'source_id' | 'channel' | 'send_out_id' | 'body_digest' | 'body_bytes'>

/**
 * Every telling, stored by a time, of some movements of a card, with its event.
 * @param known_at null: up to now
 */
export async function readSources (db: Db, card_id: string, movement_ids: readonly string[], known_at: Instant | null): Promise<Source[]> {
  const { rows } = await sql<Omit<Source, 'fact_digest'> & Pick<SightingRow, 'fact_digest'>>`
    select s.*, e.shard, e.position, e.type, e.source, e.source_id, e.channel, e.send_out_id, e.body_digest, e.body_bytes
    from sightings s
    cross join lateral (select * from ledger.events e where e.event_id = s.event_id and e.subject = s.subject ${BY_INDEX}) e
    where s.card_id = ${card_id} and s.movement_id = any (${movement_ids}::text[])
      and s.recorded_at <= ${known_at ?? 'infinity'}::timestamptz`.execute(db)
  return rows.map(row => ({ ...row, fact_digest: row.fact_digest.toString('hex') }))
}

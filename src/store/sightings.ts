import { sql } from 'kysely'
import type { Db } from './database.ts'
import { recordset } from './recordset.ts'
import type { SightingRow } from './tables.ts'

/** What an event told of a movement. */
export type Telling = Pick<SightingRow, 'movement_id' | 'card_id' | 'event_id' | 'subject' | 'informed' | 'kind' | 'points' | 'reported_balance' | 'order_id' | 'earning_rule_id'>

/** Every telling of some movements, by movement. */
export async function readTellings (db: Db, movements: ReadonlyArray<Pick<SightingRow, 'movement_id' | 'card_id'>>): Promise<Map<string, Telling[]>> {
  const { rows } = await sql<Telling>`
    select s.movement_id, s.card_id, s.event_id, s.subject, s.informed, s.kind, s.points, s.reported_balance, s.order_id, s.earning_rule_id
    from (select distinct movement_id, card_id from ${recordset(movements, { movement_id: 'text', card_id: 'text' })}) m
    join projection.sightings s on s.movement_id = m.movement_id and s.card_id = m.card_id`.execute(db)
  const tellings = new Map<string, Telling[]>()
  for (const row of rows) {
    const told = tellings.get(row.movement_id)
    if (told === undefined) tellings.set(row.movement_id, [row])
    else told.push(row)
  }
  return tellings
}

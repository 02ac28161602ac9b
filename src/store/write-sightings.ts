import { sql } from 'kysely'
import type { RecordedSighting } from '../ledger/movements.ts'
import type { Trx } from './database.ts'
import { recordset } from './recordset.ts'
import type { SightingRow } from './tables.ts'

/**
 * Keeps new sightings of movements; a sighting that is known already stays as it is.
 * @returns every sighting, old and new, of the movements concerned
 */
export async function addSightings (trx: Trx, sightings: readonly RecordedSighting[]): Promise<RecordedSighting[]> {
  if (sightings.length === 0) return []
  await sql`
    insert into projection.sightings
      (movement_id, card_id, event_id, subject, informed, kind, points, reported_balance, occurred_at, recorded_at,
       order_id, earning_rule_id, holder_id, details, fact_digest)
    select movement_id, card_id, event_id, subject, informed, kind, points, reported_balance, occurred_at, recorded_at,
           order_id, earning_rule_id, holder_id, details::json, decode(fact_digest, 'hex')
    from ${recordset(sightings, {
      movement_id: 'text',
      card_id: 'text',
      event_id: 'text',
      subject: 'text',
      informed: 'smallint',
      kind: 'text',
      points: 'bigint',
      reported_balance: 'bigint',
      occurred_at: 'timestamptz',
      recorded_at: 'timestamptz',
      order_id: 'text',
      earning_rule_id: 'text',
      holder_id: 'text',
      details: 'text',
      fact_digest: 'text'
    })}
    on conflict do nothing`.execute(trx)
  const { rows } = await sql<SightingRow>`
    select s.*
    from (
      select distinct movement_id, card_id
      from unnest(${sightings.map(s => s.movement_id)}::text[], ${sightings.map(s => s.card_id)}::text[]) as t (movement_id, card_id)
    ) touched
    join projection.sightings s on s.movement_id = touched.movement_id and s.card_id = touched.card_id`.execute(trx)
  return rows.map(row => ({ ...row, fact_digest: row.fact_digest.toString('hex') }) as RecordedSighting)
}

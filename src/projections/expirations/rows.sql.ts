import { sql } from 'kysely'
import type { Trx } from '../../postgres/database.ts'
import type { ExpirationRow } from '../../postgres/tables.ts'
import { unnest } from '../../postgres/unnest.ts'

/** Stores states of buckets, at most one of each, where they are newer than what is stored. */
export async function writeExpirations (trx: Trx, rows: readonly ExpirationRow[]): Promise<void> {
  await sql`
    insert into expirations as e (bucket_id, card_id, campaign_id, status, points, expires_on, as_of, event_id, subject)
    select bucket_id, card_id, campaign_id, status, points, expires_on, as_of, event_id, subject
    from ${unnest(rows, {
      bucket_id: 'text',
      card_id: 'text',
      campaign_id: 'text',
      status: 'text',
      points: 'bigint',
      expires_on: 'date',
      as_of: 'timestamptz',
      event_id: 'text',
      subject: 'text'
    })}
    on conflict (bucket_id) do update
    set card_id = excluded.card_id, campaign_id = excluded.campaign_id, status = excluded.status, points = excluded.points,
        expires_on = excluded.expires_on, as_of = excluded.as_of, event_id = excluded.event_id, subject = excluded.subject
    where (excluded.as_of, excluded.status, excluded.event_id, excluded.subject) > (e.as_of, e.status, e.event_id, e.subject)`.execute(trx)
}

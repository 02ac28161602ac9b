import { sql } from 'kysely'
import type { Db } from '../../postgres/database.ts'
import type { ExpirationRow } from '../../postgres/tables.ts'

/** The last bucket of a page. A bucket without a day comes last. */
export interface BucketMark { expires_on: string, bucket_id: string }

/** What the mark of a bucket without a day has in place of one. */
export const NO_DAY = '9999-12-31'

/** The buckets of a card, those that expire first before the others. */
export async function listExpirations (db: Db, card_id: string, page: { after?: BucketMark | undefined, limit: number }): Promise<ExpirationRow[]> {
  const { after, limit } = page
  const { rows } = await sql<ExpirationRow>`
    select bucket_id, card_id, campaign_id, status, points, expires_on::text as expires_on, as_of, event_id, subject
    from expirations
    where card_id = ${card_id}
      ${after === undefined ? sql`` : sql`and (coalesce(expires_on, ${NO_DAY}::date), bucket_id) > (${after.expires_on}::date, ${after.bucket_id})`}
    order by coalesce(expires_on, ${NO_DAY}::date), bucket_id
    limit ${limit}`.execute(db)
  return rows
}

import { sql } from 'kysely'
import type { Trx } from '../../postgres/database.ts'
import { unnest } from '../../postgres/unnest.ts'
import type { TierChangeRow } from '../../postgres/tables.ts'

/** Stores observed tier changes; a known one stays as it is. */
export async function addTierChanges (trx: Trx, changes: readonly TierChangeRow[]): Promise<void> {
  await sql`
    insert into tier_changes
      (customer_id, campaign_id, event_id, subject, change, tier_id, tier, from_tier_id, from_tier, occurred_at, recorded_at)
    select customer_id, campaign_id, event_id, subject, change, tier_id, tier, from_tier_id, from_tier, occurred_at, recorded_at
    from ${unnest(changes, {
      customer_id: 'text',
      campaign_id: 'text',
      event_id: 'text',
      subject: 'text',
      change: 'text',
      tier_id: 'text',
      tier: 'text',
      from_tier_id: 'text',
      from_tier: 'text',
      occurred_at: 'timestamptz',
      recorded_at: 'timestamptz'
    })}
    on conflict do nothing`.execute(trx)
}

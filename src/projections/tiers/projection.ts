import { addTierChanges } from './rows.sql.ts'
import { observedOf, type Projection } from '../../engine/projection.ts'

/**
 * Tier membership: every observed change. The newest change of a customer in a programme says which tier they are in.
 */
export const tiers: Projection = {
  name: 'tiers',
  version: 1,
  entity: 'tier',
  tables: [
    { name: 'tier_changes', about: 'customer_id', key: ['customer_id', 'campaign_id', 'event_id', 'subject'] }
  ],
  async apply (trx, observed) {
    const changes = observedOf(observed, 'tier').map(({ fact: { fact: _, ...change }, event_id, subject, recorded_at }) => ({ ...change, event_id, subject, recorded_at }))
    if (changes.length > 0) await addTierChanges(trx, changes)
  }
}

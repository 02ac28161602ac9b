import { compareText } from '../../ledger/text.ts'
import { observedOf, type Projection } from '../../engine/projection.ts'
import type { ExpirationRow } from '../../postgres/tables.ts'
import { writeExpirations } from './rows.sql.ts'

/** What expires when: of each bucket of points the newest state that was observed. */
export const expirations: Projection = {
  name: 'expirations',
  version: 1,
  entity: 'bucket',
  tables: [
    { name: 'expirations', about: 'bucket_id', key: ['bucket_id'] }
  ],
  async apply (trx, observed) {
    const newest = new Map<string, ExpirationRow>()
    for (const { fact: { fact: _, occurred_at: as_of, ...state }, event_id, subject } of observedOf(observed, 'expiration')) {
      const row = { ...state, as_of, event_id, subject }
      const before = newest.get(row.bucket_id)
      if (before === undefined || compareExpirations(row, before) > 0) newest.set(row.bucket_id, row)
    }
    // Two shards can write the same rows. Writing them in one order keeps two steps from deadlocking.
    if (newest.size > 0) await writeExpirations(trx, [...newest.values()].sort((a, b) => compareText(a.bucket_id, b.bucket_id)))
  }
}

/** Of two at one time the one that has expired is newer. `writeExpirations` compares the same way. */
function compareExpirations (a: ExpirationRow, b: ExpirationRow): number {
  return compareText(a.as_of, b.as_of) || compareText(a.status, b.status) || compareText(a.event_id, b.event_id) || compareText(a.subject, b.subject)
}

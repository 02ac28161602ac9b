import { groupBy } from '../../ledger/group-by.ts'
import { compareText } from '../../ledger/text.ts'
import { observedOf, type Projection } from '../../engine/projection.ts'
import { addUnread } from './rows.sql.ts'

/**
 * How many events are stored of each type that nobody reads. Counted as they are folded, so that nobody has to look
 * through the log for it. The checkpoint that commits with the counts makes each event count once.
 */
export const unread: Projection = {
  name: 'unread',
  version: 1,
  entity: 'event_type',
  tables: [
    { name: 'unread_types', about: 'type', key: ['type'] }
  ],
  async apply (trx, observed) {
    const counts = [...groupBy(observedOf(observed, 'unread'), ({ fact }) => fact.type)].map(([type, { length }]) => ({ type, events: BigInt(length) }))
    // Two shards can write the same rows. Writing them in one order keeps two steps from deadlocking.
    if (counts.length > 0) await addUnread(trx, counts.sort((a, b) => compareText(a.type, b.type)))
  }
}

import type { PendingObservation } from '../../ledger/facts.ts'
import { groupBy } from '../../ledger/group.ts'
import { outstanding } from '../../ledger/pending.ts'
import type { Trx } from '../../postgres/database.ts'
import type { PendingObservationRow } from '../../postgres/tables.ts'
import { addPendingObservations, readLots } from './pending.sql.ts'
import type { Observed } from '../../engine/projection.ts'

/**
 * Stores observed states of lots of pending points. The caller must have locked the rows of the cards; otherwise two
 * steps could add the same change twice.
 * @returns for each card, the change of its pending points
 */
export async function applyPending (trx: Trx, observed: ReadonlyArray<Observed<PendingObservation>>): Promise<Map<string, bigint>> {
  const changes = new Map<string, bigint>()
  if (observed.length === 0) return changes
  const observations = observed.map(({ fact: { fact: _, ...observation }, event_id, subject, recorded_at }) => ({ ...observation, event_id, subject, recorded_at }))
  const before = groupBy(await readLots(trx, observations), lotOf)
  await addPendingObservations(trx, observations)
  for (const [lot, seen] of groupBy(observations, lotOf)) {
    const known = before.get(lot) ?? []
    const card_id = seen[0]?.card_id ?? ''
    changes.set(card_id, (changes.get(card_id) ?? 0n) + outstanding([...known, ...seen]) - outstanding(known))
  }
  return changes
}

function lotOf ({ card_id, pending_id }: Pick<PendingObservationRow, 'card_id' | 'pending_id'>): string {
  return JSON.stringify([card_id, pending_id])
}

import { sql } from 'kysely'
import type { PendingObservation } from '../../ledger/facts.ts'
import { groupBy } from '../../ledger/group-by.ts'
import { outstanding } from '../../ledger/pending.ts'
import type { Trx } from '../../postgres/database.ts'
import { unnest } from '../../postgres/unnest.ts'
import type { PendingObservationRow } from '../../postgres/tables.ts'
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

/** What is stored of some lots of pending points. */
async function readLots (trx: Trx, lots: ReadonlyArray<Pick<PendingObservationRow, 'card_id' | 'pending_id'>>): Promise<PendingObservationRow[]> {
  const { rows } = await sql<PendingObservationRow>`
    select p.*
    from (select distinct card_id, pending_id from ${unnest(lots, { card_id: 'text', pending_id: 'text' })}) lot
    join pending_observations p on p.card_id = lot.card_id and p.pending_id = lot.pending_id`.execute(trx)
  return rows
}

/** Keeps observed states of lots; a known one stays as it is. */
async function addPendingObservations (trx: Trx, observations: readonly PendingObservationRow[]): Promise<void> {
  await sql`
    insert into pending_observations
      (pending_id, card_id, event_id, subject, state, points, activates_on, occurred_at, recorded_at, order_id, earning_rule_id, holder_id)
    select pending_id, card_id, event_id, subject, state, points, activates_on, occurred_at, recorded_at, order_id, earning_rule_id, holder_id
    from ${unnest(observations, {
      pending_id: 'text',
      card_id: 'text',
      event_id: 'text',
      subject: 'text',
      state: 'text',
      points: 'bigint',
      activates_on: 'date',
      occurred_at: 'timestamptz',
      recorded_at: 'timestamptz',
      order_id: 'text',
      earning_rule_id: 'text',
      holder_id: 'text'
    })}
    on conflict do nothing`.execute(trx)
}

import { sql } from 'kysely'
import type { PendingObservation } from '../../ledger/facts.ts'
import { groupBy } from '../../ledger/group-by.ts'
import type { Instant } from '../../ledger/instant.ts'
import { outstanding, pendingBy, type PendingSums, type PendingTotal } from '../../ledger/pending.ts'
import type { Trx } from '../../postgres/database.ts'
import { unnest } from '../../postgres/unnest.ts'
import type { CardRow, CardSnapshotRow, PendingObservationRow } from '../../postgres/tables.ts'
import { WINDOW } from './tails.sql.ts'
import type { Observed } from '../../engine/projection.ts'

/**
 * Stores observed states of lots of pending points, and adds up what is pending on each card that they or a new total
 * are about. The caller must have locked the rows of the cards; otherwise two steps could add the same change twice.
 * @param shown what cards were seen with for the first time
 */
export async function applyPending (
  trx: Trx, rows: readonly CardRow[], observed: ReadonlyArray<Observed<PendingObservation>>, shown: readonly CardSnapshotRow[]
): Promise<Map<string, PendingSums>> {
  const changes = await addLotStates(trx, observed)
  const concerned = new Set([...changes.keys(), ...shown.filter(({ figure }) => figure === 'pending').map(({ card_id }) => card_id)])
  if (concerned.size === 0) return new Map()
  const totals = groupBy(await readNewestTotals(trx, [...concerned]), ({ card_id }) => card_id)
  const lots = groupBy(await readLotsChangedSince(trx, [...totals.values()].flatMap(([first]) => first ?? [])), ({ card_id }) => card_id)
  return new Map(rows.filter(({ card_id }) => concerned.has(card_id)).map(({ card_id, ...row }) => {
    const inLots = row.pending - row.pending_unexplained + (changes.get(card_id) ?? 0n)
    return [card_id, pendingBy(inLots, totals.get(card_id) ?? [], lots.get(card_id) ?? [])]
  }))
}

/** @returns for each card, the change of what is pending in its lots */
async function addLotStates (trx: Trx, observed: ReadonlyArray<Observed<PendingObservation>>): Promise<Map<string, bigint>> {
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

/** The newest totals of pending points that each card was seen with; several where they are as of one time. */
async function readNewestTotals (trx: Trx, card_ids: readonly string[]): Promise<Array<PendingTotal & { card_id: string }>> {
  const { rows } = await sql<PendingTotal & { card_id: string }>`
    select c.card_id, newest.occurred_at, newest.points
    from unnest(${card_ids}::text[]) as c (card_id)
    cross join lateral (
      select s.occurred_at, s.points from card_snapshots s
      where s.card_id = c.card_id and s.figure = 'pending'
      order by s.occurred_at desc
      fetch first row with ties
    ) newest`.execute(trx)
  return rows
}

/** Every state of the lots of which one is later than a window before a time. */
async function readLotsChangedSince (trx: Trx, cards: ReadonlyArray<{ card_id: string, occurred_at: Instant }>): Promise<PendingObservationRow[]> {
  if (cards.length === 0) return []
  const { rows } = await sql<PendingObservationRow>`
    select p.*
    from (
      select distinct p.card_id, p.pending_id
      from ${unnest(cards, { card_id: 'text', occurred_at: 'timestamptz' }, 'c')}
      join pending_observations p on p.card_id = c.card_id and p.occurred_at > c.occurred_at - ${WINDOW}
    ) lot
    join pending_observations p on p.card_id = lot.card_id and p.pending_id = lot.pending_id`.execute(trx)
  return rows
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

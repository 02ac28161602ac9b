import { isDeepStrictEqual } from 'node:util'
import type { CardField, CardObservation, MovementObservation, PendingObservation } from '../../ledger/facts.ts'
import { groupBy } from '../../ledger/group-by.ts'
import { mergeObservations, type Movement, type RecordedObservation } from '../../ledger/movements.ts'
import type { Trx } from '../../postgres/database.ts'
import type { CardRow, CardSnapshotRow } from '../../postgres/tables.ts'
import { lockCards, updateCards } from './rows.sql.ts'
import { addMovementObservations, type MovementObservations } from './observations.sql.ts'
import { applyPending } from './pending.sql.ts'
import { refoldCards, type CardChange, type Refolded } from './refold.ts'
import { addSnapshots } from './snapshots.sql.ts'
import { replaceTails } from './tails.sql.ts'
import { holderObservations, keepHolders, withHolders, type HeldElsewhere } from './holders.sql.ts'
import { latestOf, observedOf, type Projection, type Observed } from '../../engine/projection.ts'

const FIELDS = ['code', 'campaign_id', 'campaign', 'active', 'deleted_at'] as const satisfies readonly CardField[]

/** Cards, their movements and statements, their pending points and their holders. */
export const cards: Projection = {
  name: 'cards',
  version: 3,
  entity: 'card',
  tables: [
    { name: 'cards', about: 'card_id', key: ['card_id'] },
    { name: 'statement_lines', about: 'card_id', key: ['card_id', 'occurred_at', 'ordinal'] },
    { name: 'card_snapshots', about: 'card_id', key: ['card_id', 'figure', 'occurred_at', 'points'] },
    { name: 'movement_observations', about: 'card_id', key: ['movement_id', 'card_id', 'event_id', 'subject'] },
    { name: 'pending_observations', about: 'card_id', key: ['card_id', 'pending_id', 'event_id', 'subject'] },
    { name: 'holdings', about: 'card_id', key: ['customer_id', 'card_id'] },
    { name: 'holder_observations', about: 'card_id', key: ['card_id', 'customer_id', 'held', 'event_id', 'subject'] }
  ],
  async apply (trx, observed) {
    const movements = observedOf(observed, 'movement').map(recorded)
    const snapshots = observedOf(observed, 'snapshot')
    const pending = observedOf(observed, 'pending')
    const observations = observedOf(observed, 'card')
    const ids = [...movements, ...[...snapshots, ...pending, ...observations].map(({ fact }) => fact)].map(({ card_id }) => card_id)
    if (ids.length === 0) return

    const rows = await lockCards(trx, [...new Set(ids)])
    const { known, added } = await addMovementObservations(trx, movements)
    const shown = await addSnapshots(trx, snapshots)
    const byCard = groupBy(observations.map(({ fact }) => fact), ({ card_id }) => card_id)
    const described = rows.map(row => withCardObservations(row, byCard.get(row.card_id) ?? []))
    const totals = await applyPending(trx, described, pending, shown)
    const refolded = await refoldChanged(trx, described.map(row => ({ ...row, ...totals.get(row.card_id) })), { known, added }, shown)
    await updateCards(trx, refolded.map(({ row }) => row))
    await replaceTails(trx, refolded.flatMap(({ tail }) => tail ?? []))
    await keepHolders(trx, rows, observations, heldElsewhere(movements, pending))
  }
}

/** Folds the cards again of which a movement or a snapshot is new or changed. */
async function refoldChanged (trx: Trx, rows: readonly CardRow[], observations: MovementObservations, shown: readonly CardSnapshotRow[]): Promise<Refolded[]> {
  const { added, changed } = changedMovements(observations)
  const snapshots = groupBy(shown.filter(({ figure }) => figure === 'balance'), ({ card_id }) => card_id)
  const changes = rows.map((row): CardChange => ({
    row,
    added: added.get(row.card_id) ?? [],
    changed: changed.get(row.card_id) ?? [],
    snapshots: (snapshots.get(row.card_id) ?? []).map(({ points, ...snapshot }) => ({ ...snapshot, balance: points }))
  }))
  const isChanged = (change: CardChange): boolean => change.added.length + change.changed.length + change.snapshots.length > 0
  const refolded = new Map((await refoldCards(trx, changes.filter(isChanged))).map(one => [one.row.card_id, one]))
  return rows.map(row => refolded.get(row.card_id) ?? { row })
}

/** The row with the newest value of each field of the card, and its holder. */
function withCardObservations (row: CardRow, observations: readonly CardObservation[]): CardRow {
  if (observations.length === 0) return row
  const { active, ...latest } = latestOf({ ...row, active: row.active === null ? null : String(row.active) }, FIELDS, observations)
  return {
    ...row,
    ...latest as Omit<typeof latest, 'deleted_at'> & Pick<CardRow, 'deleted_at'>,
    active: active === null ? null : active === 'true',
    ...withHolders(row, holderObservations(observations))
  }
}

/** The holders that observations of movements and pending points name, by event. */
function heldElsewhere (movements: readonly RecordedObservation[], pending: ReadonlyArray<Observed<PendingObservation>>): HeldElsewhere {
  const lots = pending.map(({ fact: { card_id, holder_id, occurred_at }, event_id, subject }) => ({ card_id, holder_id, occurred_at, event_id, subject }))
  return groupBy([...movements, ...lots], ({ event_id }) => event_id)
}

function recorded ({ fact, event_id, subject, recorded_at, fact_digest }: Observed<MovementObservation>): RecordedObservation {
  return {
    movement_id: fact.movement_id,
    card_id: fact.card_id,
    source_rank: fact.source_rank,
    kind: fact.kind,
    points: fact.points,
    reported_balance: fact.reported_balance,
    observed_balance: fact.observed_balance ?? null,
    occurred_at: fact.occurred_at,
    order_id: fact.order_id,
    earning_rule_id: fact.earning_rule_id,
    holder_id: fact.holder_id,
    details: fact.details,
    event_id,
    subject,
    recorded_at,
    fact_digest: fact_digest.toString('hex')
  }
}

interface ChangedMovements { added: Map<string, Movement[]>, changed: Map<string, Movement[]> }

/**
 * Merges movements from all their observations, by card. Leaves out those whose points are not known yet, and those
 * that another event only repeats.
 */
function changedMovements ({ known, added }: MovementObservations): ChangedMovements {
  const before = new Map([...groupBy(known, keyOf)].map(([key, observations]) => [key, mergeObservations(observations)]))
  const merged = [...groupBy([...known, ...added], keyOf)].flatMap(([key, observations]) => {
    const movement = mergeObservations(observations)
    return movement === undefined ? [] : [{ movement, former: before.get(key) }]
  })
  const isNew = merged.filter(({ former }) => former === undefined).map(({ movement }) => movement)
  const differs = merged.filter(({ movement, former }) => former !== undefined && !isDeepStrictEqual(movement, former)).map(({ movement }) => movement)
  return { added: groupBy(isNew, ({ card_id }) => card_id), changed: groupBy(differs, ({ card_id }) => card_id) }
}

function keyOf ({ card_id, movement_id }: RecordedObservation): string {
  return `${card_id}\n${movement_id}`
}

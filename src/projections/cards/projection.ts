import { foldCard, movementOf } from '../../ledger/card.ts'
import type { CardField, CardObservation, MovementObservation, PendingObservation } from '../../ledger/facts.ts'
import { groupBy } from '../../ledger/group-by.ts'
import { runningTotalsOf, storedTotals, withoutTail, withStretch } from '../../ledger/totals.ts'
import { mergeObservations, type Movement, type RecordedObservation } from '../../ledger/movements.ts'
import type { Trx } from '../../postgres/database.ts'
import type { CardRow } from '../../postgres/tables.ts'
import { findTails, lockCards, replaceTails, updateCards, type NewTail, type Tail } from './rows.sql.ts'
import { addMovementObservations, readOpenings } from './observations.sql.ts'
import { applyPending } from './pending.sql.ts'
import { holderObservations, keepHolders, withHolders, type HeldElsewhere } from './holders.sql.ts'
import { latestOf, observedOf, type Projection, type Observed } from '../../engine/projection.ts'

const FIELDS = ['code', 'campaign_id', 'campaign', 'active', 'deleted_at'] as const satisfies readonly CardField[]

/** Cards, their movements and statements, their pending points and their holders. */
export const cards: Projection = {
  name: 'cards',
  version: 2,
  entity: 'card',
  tables: [
    { name: 'cards', about: 'card_id', key: ['card_id'] },
    { name: 'statement_lines', about: 'card_id', key: ['card_id', 'occurred_at', 'ordinal'] },
    { name: 'movement_observations', about: 'card_id', key: ['movement_id', 'card_id', 'event_id', 'subject'] },
    { name: 'pending_observations', about: 'card_id', key: ['card_id', 'pending_id', 'event_id', 'subject'] },
    { name: 'holdings', about: 'card_id', key: ['customer_id', 'card_id'] },
    { name: 'holder_observations', about: 'card_id', key: ['card_id', 'customer_id', 'held', 'event_id', 'subject'] }
  ],
  async apply (trx, observed) {
    const movements = observedOf(observed, 'movement').map(recorded)
    const pending = observedOf(observed, 'pending')
    const observations = observedOf(observed, 'card')
    const ids = [...movements, ...[...pending, ...observations].map(({ fact }) => fact)].map(({ card_id }) => card_id)
    if (ids.length === 0) return

    const rows = await lockCards(trx, [...new Set(ids)])
    const { known, added } = await addMovementObservations(trx, movements)
    const touched = mergeTouched([...known, ...added])
    const tails = await findTails(trx, touched, new Set(known.map(({ card_id }) => card_id)))
    const openings = await openingsOf(trx, tails)
    const changes = await applyPending(trx, pending)
    const byCard = groupBy(observations.map(({ fact }) => fact), ({ card_id }) => card_id)
    const refolded = rows.map(row => {
      const described = { ...withCardObservations(row, byCard.get(row.card_id) ?? []), pending: row.pending + (changes.get(row.card_id) ?? 0n) }
      return refold(described, touched.get(row.card_id) ?? [], tails.get(row.card_id), openings.get(row.card_id))
    })
    await updateCards(trx, refolded.map(({ row }) => row))
    await replaceTails(trx, refolded.flatMap(({ tail }) => tail ?? []))
    await keepHolders(trx, rows, observations, heldElsewhere(movements, pending))
  }
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

/** Merges movements from all their observations, by card. Leaves out those whose points are not known yet. */
function mergeTouched (observations: readonly RecordedObservation[]): Map<string, Movement[]> {
  const byMovement = groupBy(observations, ({ card_id, movement_id }) => `${card_id}\n${movement_id}`)
  const merged = [...byMovement.values()].map(mergeObservations).filter(movement => movement !== undefined)
  return groupBy(merged, movement => movement.card_id)
}

/**
 * The opening movements of the cards that are folded from their first line on. An opening may have no line of its own:
 * it has none while a movement with an earlier date is known.
 */
async function openingsOf (trx: Trx, tails: ReadonlyMap<string, Tail>): Promise<Map<string, Movement>> {
  const fromFirst = [...tails].filter(([, { balance_before }]) => balance_before === null).map(([card_id]) => card_id)
  if (fromFirst.length === 0) return new Map()
  const merged = [...groupBy(await readOpenings(trx, fromFirst), ({ card_id }) => card_id).values()].map(mergeObservations)
  return new Map(merged.filter(movement => movement !== undefined).map(movement => [movement.card_id, movement]))
}

/** A card after a step: its row and, if a movement changed, the new tail of its statement. */
interface Refolded { row: CardRow, tail?: NewTail }

/**
 * Folds a card again from its earliest changed moment on. Earlier lines stay valid, since the fold of a tail depends
 * only on the balance before it. So a new movement at the end does not need the card's history.
 */
function refold (row: CardRow, touched: readonly Movement[], tail: Tail | undefined, opening: Movement | undefined): Refolded {
  if (touched.length === 0 || tail === undefined) return { row }
  const known = new Map(tail.lines.map(movementOf).filter(movement => movement !== undefined).map(movement => [movement.movement_id, movement]))
  for (const movement of [...touched, ...(opening === undefined ? [] : [opening])]) known.set(movement.movement_id, movement)
  const folded = foldCard([...known.values()], tail.balance_before)
  const dropped = tail.lines.map(({ kind, points }) => ({ kind, points, lines: 1n }))
  // If the last movement is before the tail, the row's value is right. Otherwise the fold of the tail, which contains
  // all movements from there on, sets it again.
  const before = withoutTail(row, dropped, { balance: tail.balance_before, last_movement_at: row.last_movement_at })
  const running = runningTotalsOf(before, folded)
  const lines = folded.lines.map((line, index) => {
    const running_totals = running.get(index)
    return { ...line, running_totals: running_totals === undefined ? null : storedTotals(running_totals) }
  })
  return {
    row: { ...row, ...withStretch(before, folded) },
    tail: { card_id: row.card_id, from: tail.from, lines, added: tail.lines.length === 0 }
  }
}

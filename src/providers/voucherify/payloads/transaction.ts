import { Type, type Static } from '@sinclair/typebox'
import type { SourceRank, MovementKind, MovementObservation, SnapshotObservation } from '../../../ledger/facts.ts'
import type { Instant } from '../../../ledger/instant.ts'
import { firstId, idOf } from '../wire/ids.ts'
import { isObject } from '../wire/json.ts'
import { balanceAmong, pointsAmong } from './card.ts'
import { Described, exactInteger, maybe, relied, UnmatchedRow, type Core } from './decoder.ts'
import { dayOf, details, idAmong, movementKey, optionalId, requiredId, requiredInstant, textIn, toMilliseconds } from './values.ts'

/** A row of the provider's own card ledger, `vtx_…`, and the lots of pending points it can name. */

export const PendingPoints = Type.Object({
  id: maybe(Type.String()),
  voucher_id: maybe(Type.String()),
  customer_id: maybe(Type.String()),
  order_id: Described,
  points: relied(exactInteger()),
  activates_at: Described,
  created_at: Described,
  updated_at: Described,
  details: maybe(Type.Object({ event: Described, earning_rule: Described, order: Described }))
})
export type PendingPoints = Static<typeof PendingPoints>

export const Transaction = Type.Object({
  id: maybe(Type.String()),
  type: Described,
  voucher_id: maybe(Type.String()),
  created_at: Described,
  reason: Described,
  source: Described,
  source_id: Described,
  related_transaction_id: Described,
  details: relied(Type.Object({
    balance: Described,
    order: Described,
    event: Described,
    custom_event: Described,
    segment: Described,
    earning_rule: Described,
    redemption: Described,
    rollback: Described,
    pending_points: relied(PendingPoints),
    source_voucher: Described,
    destination_voucher: Described
  }))
})
export type Transaction = Static<typeof Transaction>

/** What a payload holds beside the row: used where the row's own details lack it. */
interface Beside {
  balance?: unknown
  order?: unknown
  event?: unknown
  earning_rule?: unknown
  redemption?: unknown
  rollback?: unknown
  pending_points?: PendingPoints | null | undefined
}

const KINDS = new Map<string, MovementKind>([
  ['POINTS_ACCRUAL', 'accrual'],
  ['PENDING_POINTS_ACTIVATION', 'accrual'],
  ['POINTS_REDEMPTION', 'redemption'],
  ['POINTS_REFUND', 'refund'],
  ['POINTS_EXPIRATION', 'expiration'],
  ['POINTS_ADDITION', 'addition'],
  ['POINTS_REMOVAL', 'removal'],
  ['POINTS_TRANSFER_IN', 'transfer_in'],
  ['POINTS_TRANSFER_OUT', 'transfer_out']
])

/** How the provider writes a type: one that this version does not know can be a new one. */
const TYPE_FORM = /^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$/

/** What a row states, whatever event or export carries it. */
export interface Row {
  vtx: string
  card_id: string
  occurred_at: Instant
  /** Null: of a type that this version does not know. It can be a movement that another event states too. */
  movement: MovementObservation | null
  /** What the card held after it, where the row states that and no movement does. */
  snapshot: SnapshotObservation[]
  core: Core
  /** The lot of pending points that became available by it. */
  lot: { pending_id: string, activates_on: string | null } | null
}

/** What the event around a row says of it: an adjustment is an addition or a removal, by its sign. */
export type KindOfEvent = MovementKind | 'adjustment'

interface Observed { card_id: string | null, holder_id: string | null, source_rank: SourceRank, kind?: KindOfEvent, also?: Record<string, unknown> }

/**
 * Reads a row.
 * @param observed `card_id`, `kind`: where the row itself does not state them
 * @param fallbacks times for a row that carries none
 */
export function readRow (row: Transaction, beside: Beside, observed: Observed, ...fallbacks: unknown[]): Row {
  const vtx = requiredId(row.id, 'transaction.id')
  const inside = row.details ?? {}
  const balances = [inside.balance, beside.balance]
  const card_id = requiredId(row.voucher_id ?? observed.card_id ?? firstId(...balances.map(balance => isObject(balance) ? idOf(balance.related_object) : undefined)), 'transaction.voucher_id')
  const occurred_at = requiredInstant('data.transaction.created_at', row.created_at, ...fallbacks)
  const points = pointsAmong('transaction.details.balance.points', ...balances)
  const reported_balance = balanceAmong('transaction.details.balance.balance', ...balances)
  const kind = kindOf(row.type, observed.kind, points)
  if (kind === undefined) return rowOfUnknownType({ vtx, type: textIn(row, 'type') ?? null, card_id, points, balance: reported_balance, occurred_at })
  const lot = inside.pending_points ?? beside.pending_points
  // Of an award these name the movement; beside any other they only describe it.
  const named = kind === 'accrual' ? idAmong : (_field: string, ...places: unknown[]) => firstId(...places.map(idOf)) ?? null
  const trigger = named('transaction.details.event.id', inside.event, lot?.details?.event, beside.event, inside.custom_event)
  const rule = named('transaction.details.earning_rule.id', inside.earning_rule, lot?.details?.earning_rule, beside.earning_rule)
  const redemption = firstId(idOf(inside.redemption), idOf(beside.redemption)) ?? null
  const rollback = firstId(idOf(inside.rollback), idOf(beside.rollback)) ?? null
  if (kind === 'accrual' && (points ?? 0n) >= 0n && trigger === null && firstId(lot?.id) === undefined && !statesCause(row.details)) {
    throw new UnmatchedRow('data.transaction.details: without them the row of an accrual cannot be matched to its award, and would count twice')
  }
  const movement: MovementObservation = {
    fact: 'movement',
    movement_id: movementOfRow({ vtx, kind, card_id, points, trigger, rule, redemption, rollback, lot: firstId(lot?.id) ?? null }),
    card_id,
    source_rank: observed.source_rank,
    kind,
    points,
    reported_balance,
    occurred_at,
    order_id: firstId(idOf(inside.order), lot?.order_id, idOf(beside.order)) ?? null,
    earning_rule_id: rule,
    holder_id: observed.holder_id,
    details: details({
      transaction_id: vtx,
      transaction_type: textIn(row, 'type'),
      reason: textIn(row, 'reason'),
      source: textIn(row, 'source'),
      source_id: textIn(row, 'source_id'),
      related_transaction_id: textIn(row, 'related_transaction_id'),
      redemption_id: redemption,
      rollback_id: rollback,
      pending_id: lot?.id,
      // Why points were given: an order, an event of the merchant's own, or a segment that was entered.
      trigger_type: textIn([inside.event, lot?.details?.event, beside.event, inside.custom_event].find(isObject), 'type'),
      segment_id: idOf(inside.segment),
      segment: isObject(inside.segment) ? textIn(inside.segment, 'name') : undefined,
      source_card_id: idOf(inside.source_voucher),
      destination_card_id: idOf(inside.destination_voucher),
      ...observed.also
    })
  }
  return {
    vtx,
    card_id,
    occurred_at,
    movement,
    snapshot: [],
    lot: kind === 'accrual' ? activatedLot(lot) : null,
    core: {
      transaction: vtx,
      kind,
      card: card_id,
      points,
      balance: reported_balance,
      occurred_at: toMilliseconds(occurred_at),
      trigger,
      rule,
      redemption,
      rollback
    }
  }
}

function rowOfUnknownType (stated: { vtx: string, type: string | null, card_id: string, points: bigint | null, balance: bigint | null, occurred_at: Instant }): Row {
  const { vtx, type, card_id, points, balance, occurred_at } = stated
  return {
    vtx,
    card_id,
    occurred_at,
    movement: null,
    snapshot: balance === null ? [] : [{ fact: 'snapshot', card_id, balance, pending: null, occurred_at }],
    core: { transaction: vtx, type, card: card_id, points, balance, occurred_at: toMilliseconds(occurred_at) },
    lot: null
  }
}

/**
 * The kind of a row's movement; undefined where neither the row nor its event says. It is not guessed by the sign of
 * the points: a row of a new type can be a spend or an award, and would count beside its event.
 */
function kindOf (type: unknown, said: KindOfEvent | undefined, points: bigint | null): MovementKind | undefined {
  const known = typeof type === 'string' ? KINDS.get(type) : undefined
  if (known !== undefined) return known
  if (said === 'adjustment') return points !== null && points < 0n ? 'removal' : 'addition'
  if (said !== undefined || type === null || type === undefined || (typeof type === 'string' && TYPE_FORM.test(type))) return said
  throw new UnmatchedRow(`data.transaction.type: ${JSON.stringify(type).slice(0, 42)} is no type of a row, and its points would count twice beside the event that they are of`)
}

/** Do the details hold more than the balance? An accrual can have another cause than a trigger: a segment, a lot. */
function statesCause (details: Transaction['details']): boolean {
  return Object.entries(details ?? {}).some(([name, value]) => name !== 'balance' && value !== null && value !== undefined)
}

function activatedLot (lot: PendingPoints | null | undefined): Row['lot'] {
  const pending_id = optionalId(lot?.id, 'transaction.details.pending_points.id')
  return pending_id === null ? null : { pending_id, activates_on: dayOf(lot?.activates_at) }
}

interface Named { vtx: string, kind: MovementKind, card_id: string, points: bigint | null, trigger: string | null, rule: string | null, redemption: string | null, rollback: string | null, lot: string | null }

/**
 * The key of the movement that a row is about: the same as that of the other event that states it, an award, a spend or
 * a refund. A row of a spend or a refund that does not name which one could count a second time beside its own event:
 * it is quarantined, never guessed. Points that are taken back under an award's own trigger and rule are another
 * movement: only points that are given are the award.
 */
function movementOfRow ({ vtx, kind, card_id, points, trigger, rule, redemption, rollback, lot }: Named): string {
  if (kind === 'redemption') return movementKey('redemption', named(redemption, 'redemption'), card_id)
  if (kind === 'refund') return movementKey('rollback', named(rollback, 'rollback'), card_id)
  if (kind !== 'accrual' || (points ?? 0n) < 0n) return movementKey('transaction', vtx)
  if (trigger !== null && rule !== null) return movementKey('award', trigger, rule, card_id)
  return lot === null ? movementKey('transaction', vtx) : movementKey('pending', lot, card_id)
}

function named (id: string | null, entity: string): string {
  if (id !== null) return id
  throw new UnmatchedRow(`data.transaction.details.${entity}.id: without it the row cannot be matched to the event of its ${entity}, and would count twice`)
}

import { Type, type Static } from '@sinclair/typebox'
import type { Informed, MovementKind, MovementSighting } from '../../../ledger/facts.ts'
import { exact, exactInteger, maybe, type Core } from './family.ts'
import { Balance, details, movementKey, optionalId, Ref, requiredId, requiredInstant, toMilliseconds } from './parts.ts'

/** A row of the provider's own card ledger, `vtx_…`, and the lots of pending points it can name. */

export const PendingPoints = Type.Object({
  id: maybe(Type.String()),
  voucher_id: maybe(Type.String()),
  campaign_id: maybe(Type.String()),
  customer_id: maybe(Type.String()),
  order_id: maybe(Type.String()),
  points: maybe(exactInteger()),
  activates_at: maybe(Type.String()),
  created_at: maybe(Type.String()),
  updated_at: maybe(Type.String()),
  details: maybe(Type.Object({ event: maybe(Ref), earning_rule: maybe(Ref), order: maybe(Ref) }))
})
export type PendingPoints = Static<typeof PendingPoints>

export const Transaction = Type.Object({
  id: maybe(Type.String()),
  type: maybe(Type.String()),
  voucher_id: maybe(Type.String()),
  created_at: maybe(Type.String()),
  reason: Type.Optional(Type.Unknown()),
  source: Type.Optional(Type.Unknown()),
  source_id: Type.Optional(Type.Unknown()),
  related_transaction_id: Type.Optional(Type.Unknown()),
  details: maybe(Type.Object({
    balance: maybe(Balance),
    order: maybe(Ref),
    event: maybe(Ref),
    custom_event: maybe(Ref),
    earning_rule: maybe(Ref),
    redemption: maybe(Ref),
    rollback: maybe(Ref),
    pending_points: maybe(PendingPoints),
    source_voucher: maybe(Ref),
    destination_voucher: maybe(Ref)
  }))
})
export type Transaction = Static<typeof Transaction>

/** What stands beside the row in a payload and fills in where the row's own details are silent. */
export interface Beside {
  balance?: Static<typeof Balance> | null | undefined
  order?: Static<typeof Ref> | null | undefined
  event?: Static<typeof Ref> | null | undefined
  earning_rule?: Static<typeof Ref> | null | undefined
  redemption?: Static<typeof Ref> | null | undefined
  rollback?: Static<typeof Ref> | null | undefined
  pending_points?: PendingPoints | null | undefined
}

const KINDS: Record<string, MovementKind> = {
  POINTS_ACCRUAL: 'accrual',
  PENDING_POINTS_ACTIVATION: 'accrual',
  POINTS_REDEMPTION: 'redemption',
  POINTS_REFUND: 'refund',
  POINTS_EXPIRATION: 'expiration',
  POINTS_ADDITION: 'addition',
  POINTS_REMOVAL: 'removal',
  POINTS_TRANSFER_IN: 'transfer_in',
  POINTS_TRANSFER_OUT: 'transfer_out'
}

/** What a row tells, whatever event or export carries it. */
export interface Row {
  vtx: string
  movement: MovementSighting
  core: Core
  /** The lot of pending points that became available by it. */
  lot: { pending_id: string, activates_on: string | null } | null
}

/**
 * Reads a row.
 * @param card_id the card, where the row itself does not name it
 * @param fallbacks times for a row that carries none
 */
export function readRow (
  row: Transaction, beside: Beside, told: { card_id: string | null, holder_id: string | null, informed: Informed, kind?: MovementKind, also?: Record<string, unknown> }, ...fallbacks: unknown[]
): Row {
  const vtx = requiredId(row.id, 'transaction.id')
  const inside = row.details ?? {}
  const balance = inside.balance ?? beside.balance
  const card_id = requiredId(row.voucher_id ?? told.card_id ?? balance?.related_object?.id, 'transaction.voucher_id')
  const occurred_at = requiredInstant('data.transaction.created_at', row.created_at, ...fallbacks)
  const points = exact(balance?.points)
  const kind = KINDS[row.type ?? ''] ?? told.kind ?? (points !== null && points < 0n ? 'removal' : 'addition')
  const lot = inside.pending_points ?? beside.pending_points
  const trigger = optionalId(inside.event?.id ?? lot?.details?.event?.id ?? beside.event?.id ?? inside.custom_event?.id, 'transaction.details.event.id')
  const rule = optionalId(inside.earning_rule?.id ?? lot?.details?.earning_rule?.id ?? beside.earning_rule?.id, 'transaction.details.earning_rule.id')
  const redemption = optionalId(inside.redemption?.id ?? beside.redemption?.id, 'transaction.details.redemption.id')
  const rollback = optionalId(inside.rollback?.id ?? beside.rollback?.id, 'transaction.details.rollback.id')
  const movement: MovementSighting = {
    fact: 'movement',
    movement_id: movementOfRow({ vtx, kind, card_id, points, trigger, rule, redemption, rollback }),
    card_id,
    informed: told.informed,
    kind,
    points,
    reported_balance: exact(balance?.balance),
    occurred_at,
    order_id: optionalId(inside.order?.id ?? lot?.order_id ?? beside.order?.id, 'transaction.details.order.id'),
    earning_rule_id: rule,
    holder_id: told.holder_id,
    details: details({
      transaction_id: vtx,
      transaction_type: row.type,
      reason: row.reason,
      source: row.source,
      source_id: row.source_id,
      related_transaction_id: row.related_transaction_id,
      redemption_id: redemption,
      rollback_id: rollback,
      pending_id: lot?.id,
      source_card_id: inside.source_voucher?.id,
      destination_card_id: inside.destination_voucher?.id,
      ...told.also
    })
  }
  return {
    vtx,
    movement,
    lot: kind === 'accrual' ? activatedLot(lot) : null,
    core: {
      transaction: vtx,
      kind,
      card: card_id,
      points,
      balance: movement.reported_balance,
      occurred_at: toMilliseconds(occurred_at),
      trigger,
      rule,
      redemption,
      rollback
    }
  }
}

function activatedLot (lot: PendingPoints | null | undefined): Row['lot'] {
  const pending_id = optionalId(lot?.id, 'transaction.details.pending_points.id')
  return pending_id === null ? null : { pending_id, activates_on: dayOf(lot?.activates_at) }
}

/** A day in the project's time zone, of a field that is a date or begins with one. */
export function dayOf (date: string | null | undefined): string | null {
  return /^\d{4}-\d{2}-\d{2}/.exec(date ?? '')?.[0] ?? null
}

interface Named { vtx: string, kind: MovementKind, card_id: string, points: bigint | null, trigger: string | null, rule: string | null, redemption: string | null, rollback: string | null }

/**
 * The movement a row is about. A row maps to the same movement as the other event that tells it: an award, a spend, a refund.
 * Points taken back under an award's own trigger and rule are another movement: only points given are the award.
 */
function movementOfRow ({ vtx, kind, card_id, points, trigger, rule, redemption, rollback }: Named): string {
  if (kind === 'accrual' && (points ?? 0n) >= 0n && trigger !== null && rule !== null) return movementKey('award', trigger, rule, card_id)
  if (kind === 'redemption' && redemption !== null) return movementKey('redemption', redemption, card_id)
  if (kind === 'refund' && rollback !== null) return movementKey('rollback', rollback, card_id)
  return movementKey('transaction', vtx)
}

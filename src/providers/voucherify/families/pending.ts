import { Type, type Static } from '@sinclair/typebox'
import type { Fact, MovementObservation, PendingObservation, PendingState } from '../../../ledger/facts.ts'
import type { Instant } from '../../../ledger/instant.ts'
import type { Envelope } from '../wire/envelope.ts'
import { firstId, idOf, naturalKey } from '../wire/ids.ts'
import { isObject } from '../wire/json.ts'
import { subjectOf } from '../wire/subject.ts'
import { bystanders, Balance, cardFacts, customerOf, pendingTotalOf } from '../payloads/card.ts'
import { observedOrder } from '../payloads/order.ts'
import { Transaction, type PendingPoints } from '../payloads/transaction.ts'
import { exact, exactInteger, maybe, reader, relied, UnreadablePayload } from '../payloads/decoder.ts'
import { dayOf, details, idAmong, movementKey, optionalId, requiredId, requiredInstant, timeText, toMilliseconds } from '../payloads/values.ts'
import { sourceRankOf, type Family, type Reading } from './family.ts'
import { readingOfRow, rowPayload } from './row-reading.ts'

const PREFIXES = ['voucher.loyalty_card.pending_points.', 'customer.voucher.loyalty_card.pending_points.']
const STATES: readonly PendingState[] = ['added', 'updated', 'activated', 'canceled']

/** Both decide in which state the lot is. */
const Figures = Type.Object({ ...Balance.properties, points: relied(exactInteger()) })

const Payload = Type.Object({
  ...rowPayload,
  transaction: maybe(Transaction),
  balance: relied(Figures),
  voucher_pending_points_balance: relied(Figures)
})
type Payload = Static<typeof Payload>
const readPayload = reader(Payload)

/** Points that are promised: a lot is added and updated, and ends when it is activated or canceled. */
export const pending: Family = {
  types: PREFIXES.flatMap(prefix => STATES.map(state => prefix + state)),
  recognises: data => isObject(data.pending_points),
  read
}

function read (envelope: Envelope): Reading {
  const data = readPayload(envelope.data)
  const named = nameOf(envelope)
  // Activated, with the row that made the points available: the row states everything, also which lot ended.
  if (data.transaction?.id) return readingOfRow(envelope, { ...data, transaction: data.transaction }, { type: `${PREFIXES[1]}activated`, kind: 'accrual' })
  return readLot(envelope, data, stateOf(data, named))
}

function nameOf ({ type }: Envelope): PendingState | undefined {
  return typeof type === 'string' ? STATES.find(state => type.endsWith(`.${state}`)) : undefined
}

/**
 * The state, by the fields that are present and not by the event's name: a published sample of "activated" has the
 * shape of "added". Only an activation states the available balance.
 */
function stateOf (data: Payload, named: PendingState | undefined): PendingState {
  const change = data.voucher_pending_points_balance?.points ?? null
  if (typeof data.balance?.points === 'number' && change === null) return 'activated'
  if (named === undefined) return stateOfBare(data.pending_points ?? {}, change ?? 0)
  return named === 'activated' && (change ?? 0) > 0 ? 'added' : named
}

/**
 * The state where no event name is known: a canceled lot removes all its points from the pending ones, an updated lot
 * some of them. A lot that is cut by exactly half looks like a canceled one and is read as such: lots are canceled far
 * more often.
 */
function stateOfBare ({ created_at, updated_at, points }: PendingPoints, change: number): PendingState {
  if (change < 0) return -change === points ? 'canceled' : 'updated'
  return timeText(updated_at) !== undefined && updated_at !== created_at ? 'updated' : 'added'
}

function readLot (envelope: Envelope, data: Payload, state: PendingState): Reading {
  const lot = data.pending_points ?? {}
  const pending_id = requiredId(lot.id, 'pending_points.id')
  const card_id = requiredId(lot.voucher_id ?? data.voucher?.id, 'pending_points.voucher_id')
  const ended = state === 'activated' || state === 'canceled'
  const occurred_at = requiredInstant('data.pending_points.updated_at', envelope.occurred_at, lot.updated_at, lot.created_at)
  // The lot's own time is that of the change; the envelope's is that of the send-out, seconds later. A lot that ended
  // without a time of its change has that of its creation only.
  const changed_at = requiredInstant('data.pending_points.updated_at', lot.updated_at, ended ? null : lot.created_at, occurred_at)
  const customer_id = customerOf(data) ?? optionalId(lot.customer_id, 'pending_points.customer_id')
  // For a lot that was just added, the change is the whole lot.
  const points = ended ? 0n : exact(lot.points ?? (state === 'added' ? data.voucher_pending_points_balance?.points : null))
  if (points === null) throw new UnreadablePayload('data.pending_points.points: how many points are pending is needed here')
  const observation: PendingObservation = {
    fact: 'pending',
    pending_id,
    card_id,
    state,
    points,
    activates_on: dayOf(lot.activates_at),
    occurred_at: changed_at,
    order_id: firstId(lot.order_id, idOf(lot.details?.order), idOf(data.order)) ?? null,
    earning_rule_id: idOf(lot.details?.earning_rule) ?? null,
    holder_id: customer_id
  }
  const orders = observedOrder(data.order, customer_id)
  return {
    bare: {
      event_id: `${naturalKey('pending', pending_id, state)}:${timeText(lot.updated_at, lot.created_at) ?? occurred_at}`,
      type: `${PREFIXES[1]}${state}`
    },
    subject: envelope.shape === 'bare' ? naturalKey('pending', pending_id, state) : subjectOf(String(envelope.type), envelope.data),
    customer_id,
    occurred_at,
    facts: [
      observation,
      ...activation(envelope, data, observation, occurred_at),
      ...cardFacts(card_id, data, customer_id, occurred_at),
      ...pendingTotalOf(card_id, data.voucher_pending_points_balance?.total, changed_at),
      ...bystanders(data, [customer_id], orders, occurred_at)
    ],
    core: {
      pending: pending_id,
      card: card_id,
      points: observation.points,
      change: exact(data.voucher_pending_points_balance?.points),
      available: exact(data.balance?.points),
      balance: exact(data.balance?.balance),
      occurred_at: toMilliseconds(occurred_at)
    },
    ids: [pending_id, card_id, customer_id]
  }
}

/** The award that a lot became, where the event states it without the provider's row. */
function activation (envelope: Envelope, data: Payload, lot: PendingObservation, occurred_at: Instant): Fact[] {
  if (lot.state !== 'activated' || data.balance?.points === undefined || data.balance.points === null) return []
  const trigger = idAmong('pending_points.details.event.id', data.pending_points?.details?.event)
  const rule = idAmong('pending_points.details.earning_rule.id', data.pending_points?.details?.earning_rule)
  const { card_id, pending_id } = lot
  const movement: MovementObservation = {
    fact: 'movement',
    movement_id: trigger !== null && rule !== null ? movementKey('award', trigger, rule, card_id) : movementKey('pending', pending_id, card_id),
    card_id,
    source_rank: sourceRankOf(envelope),
    kind: 'accrual',
    points: exact(data.balance.points),
    reported_balance: exact(data.balance.balance),
    occurred_at,
    order_id: lot.order_id,
    earning_rule_id: rule,
    holder_id: lot.holder_id,
    details: details({ pending_id })
  }
  return [movement]
}

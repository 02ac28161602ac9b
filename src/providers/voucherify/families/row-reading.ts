import type { Static, TObject } from '@sinclair/typebox'
import { SOURCE_RANK, type Fact, type PendingObservation, type SourceRank } from '../../../ledger/facts.ts'
import type { Envelope } from '../wire/envelope.ts'
import { naturalKey } from '../wire/ids.ts'
import { bystanders, about, cardFacts, cardObservation, customerOf, isLoyaltyCard } from '../payloads/card.ts'
import { observedOrder } from '../payloads/order.ts'
import { PendingPoints, readRow, Transaction, type KindOfEvent, type Row } from '../payloads/transaction.ts'
import { Described, relied } from '../payloads/decoder.ts'
import { optionalInstant, requiredId, textIn } from '../payloads/values.ts'
import type { Reading } from './family.ts'

/** The fields of every payload that carries a row of the provider's card ledger. */
export const rowPayload = {
  ...about,
  transaction: Transaction,
  balance: Described,
  order: Described,
  event: Described,
  earning_rule: Described,
  redemption: Described,
  rollback: Described,
  pending_points: relied(PendingPoints)
}
type RowPayload = Static<TObject<typeof rowPayload>>

/**
 * Reads an event that carries a row: the row's movement, the card, the people, an order, and the end of a lot of
 * pending points that became available by it.
 * @param event `type`: of the event when it is bare; `kind`: of the movement where the row does not state it; `also`:
 *   more that explains the movement
 */
export function readingOfRow (envelope: Envelope, data: RowPayload, event: { type: string, kind?: KindOfEvent, also?: Record<string, unknown> }): Reading {
  if (!holdsPoints(data)) return withoutPoints(envelope, data)
  const customer_id = customerOf(data)
  const row = readRow(data.transaction, data, {
    card_id: data.voucher?.id ?? null,
    holder_id: customer_id,
    // Whatever event carries it: it is the provider's own row.
    source_rank: SOURCE_RANK.transaction,
    ...event
  }, envelope.occurred_at)
  const { card_id, occurred_at } = row
  const orders = observedOrder(data.order, customer_id)
  return {
    bare: { event_id: naturalKey('transaction', row.vtx), type: event.type },
    subject: naturalKey('transaction', row.vtx),
    customer_id,
    occurred_at,
    facts: [
      ...movedBy(row),
      ...cardFacts(card_id, data, customer_id, occurred_at),
      ...bystanders(data, [customer_id], orders, occurred_at)
    ],
    core: row.core,
    ids: [row.vtx, card_id, customer_id]
  }
}

/** Of a row without an event around it: from an export, or from the provider's API. It states no holder. */
export function readingOfRowAlone (transaction: Transaction, campaign_id: string | null, source_rank: SourceRank): Omit<Reading, 'bare'> {
  if (isCredit(transaction)) {
    const id = requiredId(transaction.id, 'transaction.id')
    return { subject: naturalKey('transaction', id), customer_id: null, occurred_at: null, facts: [], core: { transaction: id, type: textIn(transaction, 'type') ?? null }, ids: [id] }
  }
  const row = readRow(transaction, {}, { card_id: null, holder_id: null, source_rank })
  const { card_id, occurred_at } = row
  return {
    subject: naturalKey('transaction', row.vtx),
    customer_id: null,
    occurred_at,
    facts: [...movedBy(row), cardObservation(card_id, { campaign: campaign_id === null ? null : { id: campaign_id } }, null, occurred_at)],
    core: row.core,
    ids: [row.vtx, card_id]
  }
}

/** Gift cards have rows too, of credits. */
function isCredit ({ type }: Transaction): boolean {
  return typeof type === 'string' && type.startsWith('CREDITS_')
}

function holdsPoints ({ transaction, voucher }: RowPayload): boolean {
  if (isCredit(transaction)) return false
  return voucher?.type === undefined || voucher.type === null || isLoyaltyCard(voucher)
}

function withoutPoints (envelope: Envelope, data: RowPayload): Reading {
  const id = requiredId(data.transaction.id, 'transaction.id')
  return {
    subject: naturalKey('transaction', id),
    customer_id: customerOf(data),
    occurred_at: optionalInstant(data.transaction.created_at, envelope.occurred_at),
    facts: [],
    core: { transaction: id, type: typeof data.transaction.type === 'string' ? data.transaction.type : null },
    ids: [id]
  }
}

/** The movement of a row, and the end of a lot: points that became available are no longer pending. */
function movedBy ({ movement, snapshot, lot }: Row): Fact[] {
  if (movement === null) return snapshot
  if (lot === null) return [movement]
  const { card_id, occurred_at, order_id, earning_rule_id, holder_id } = movement
  const ended: PendingObservation = { fact: 'pending', ...lot, card_id, state: 'activated', points: 0n, occurred_at, order_id, earning_rule_id, holder_id }
  return [movement, ended]
}

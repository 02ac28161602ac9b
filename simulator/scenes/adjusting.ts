import type { JsonObject } from '../json.ts'
import { transactionKey } from '../keys.ts'
import type { Kind } from '../facts.ts'
import type { Card, Row } from '../model.ts'
import { pointsAddedEvent, pointsExpiredEvent } from '../payloads/transaction.ts'
import { voucherObject } from '../payloads/objects.ts'
import { between, liveCards, move, type Scene, type Stage } from '../stage.ts'
import { recordRow } from './record-row.ts'

const CHANNELS = ['project', 'distribution'] as const

/** An operator adds or removes points. */
export const adjust: Scene = stage => {
  const { random } = stage
  const cards = liveCards(stage)
  if (cards.length === 0) return false
  const card = random.pick(cards)
  const points = card.now.balance > 0 && random.chance(0.4) ? -random.integer(1, card.now.balance) : random.integer(1, 300)
  const [kind, type] = points < 0 ? ['removal', 'POINTS_REMOVAL'] as const : ['addition', 'POINTS_ADDITION'] as const
  const row = book(stage, card, { kind, type, points, details: {}, reason: 'goodwill', balance_beside: random.chance(0.1) })
  for (const channel of CHANNELS) stage.emit(pointsAddedEvent(stage.stamp(), row, { channel, holder: random.chance(0.7) }))
  recordRow(stage, card, row)
  return true
}

/** Points expire. */
export const expire: Scene = stage => {
  const { random, mint } = stage
  const cards = liveCards(stage, 1)
  if (cards.length === 0) return false
  const card = random.pick(cards)
  const row = book(stage, card, { kind: 'expiration', type: 'POINTS_EXPIRATION', points: -random.integer(1, card.now.balance), details: {} })
  const bucket_ids = Array.from({ length: random.integer(1, 2) }, () => mint('lopb'))
  const listed = bucket_ids.length > 1 || random.chance(0.5)
  for (const channel of CHANNELS) stage.emit(pointsExpiredEvent(stage.stamp(), row, { channel, holder: random.chance(0.7), bucket_ids, listed }))
  recordRow(stage, card, row)
  return true
}

/** Points move from one card to another: one row on each card, and no other event states it. */
export const transfer: Scene = stage => {
  const { random } = stage
  const cards = liveCards(stage)
  const from = cards.find(card => card.now.balance > 0)
  const to = cards.find(card => card !== from)
  if (from === undefined || to === undefined) return false
  const points = random.integer(1, from.now.balance)
  const out = book(stage, from, { kind: 'transfer_out', type: 'POINTS_TRANSFER_OUT', points: -points, details: { destination_voucher: voucherObject(to.now) } })
  const into = book(stage, to, { kind: 'transfer_in', type: 'POINTS_TRANSFER_IN', points, details: { source_voucher: voucherObject(out.card) }, related_id: out.id })
  recordRow(stage, from, out)
  recordRow(stage, to, into)
  return true
}

/** Points for entering a segment: an accrual without an order. */
export const earnBySegment: Scene = stage => {
  const { random, mint } = stage
  const cards = liveCards(stage)
  if (cards.length === 0) return false
  const card = random.pick(cards)
  const rule = random.pick(card.now.campaign.rules)
  const named = random.chance(0.5)
  const row = book(stage, card, {
    kind: 'accrual',
    type: 'POINTS_ACCRUAL',
    points: random.integer(1, 50),
    details: { segment: { id: mint('seg'), name: 'VIP' }, ...(named ? { earning_rule: { id: rule.id, source: { banner: rule.banner } } } : {}) },
    ...(named ? { rule_id: rule.id } : {})
  })
  recordRow(stage, card, row)
  return true
}

type Booking = { kind: Kind, type: string, points: number, details: JsonObject } & Partial<Pick<Row, 'reason' | 'related_id' | 'rule_id' | 'balance_beside'>>

/** Makes a row of the provider's ledger, for a movement that is identified by the row's own id. */
function book (stage: Stage, card: Card, booking: Booking): Row {
  const id = stage.mint('vtx')
  const movement_id = transactionKey(id)
  const at = stage.now + between(stage.random, 0.01, 3)
  const after = move(card, { movement_id, kind: booking.kind, points: booking.points, at })
  return { balance_beside: false, ...booking, id, movement_id, card: after, at }
}

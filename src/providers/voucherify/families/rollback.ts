import { Type } from '@sinclair/typebox'
import type { Envelope } from '../wire/envelope.ts'
import { naturalKey } from '../wire/ids.ts'
import { isObject } from '../wire/json.ts'
import { customerOf } from '../payloads/card.ts'
import { besideRedemption, loyaltyCardOf, pointsOf, Redemption, redemptionPayload, requireReadVouchers, spend, succeeded } from '../payloads/redemption.ts'
import { reader } from '../payloads/decoder.ts'
import { requiredId, requiredInstant, textIn, toMilliseconds } from '../payloads/values.ts'
import { sourceRankOf, type Family, type Reading } from './family.ts'

const readPayload = reader(Type.Object({ ...redemptionPayload, redemption_rollback: Redemption }))

/** A redemption that was rolled back: a refund, if points had been spent. */
export const rollback: Family = {
  types: ['redemption.rollback.succeeded', 'customer.redemption.rollback.succeeded'],
  recognises: data => isObject(data.redemption_rollback),
  read
}

function read (envelope: Envelope): Reading {
  const data = readPayload(envelope.data)
  const { redemption_rollback } = data
  const id = requiredId(redemption_rollback.id, 'redemption_rollback.id')
  const occurred_at = requiredInstant('data.redemption_rollback.date', redemption_rollback.date, redemption_rollback.created_at, envelope.occurred_at)
  const card = succeeded(redemption_rollback)
    ? loyaltyCardOf(data, redemption_rollback) ?? loyaltyCardOf(data, data.redemption ?? {})
    : undefined
  if (card === undefined) requireReadVouchers(envelope.data)
  const customer_id = customerOf({ ...data, voucher: card ?? data.voucher })
  const points = card === undefined ? null : pointsOf(redemption_rollback.amount ?? data.redemption?.amount)
  return {
    bare: { event_id: naturalKey('rollback', id), type: succeeded(redemption_rollback) ? 'customer.redemption.rollback.succeeded' : 'redemption.rollback.failed' },
    subject: naturalKey('rollback', id),
    customer_id,
    occurred_at,
    facts: [
      ...(card === undefined
        ? []
        : spend(data, card, {
          entity: 'rollback',
          id,
          kind: 'refund',
          points,
          source_rank: sourceRankOf(envelope),
          occurred_at,
          also: { rollback_id: id, redemption_id: data.redemption?.id, reason: textIn(redemption_rollback, 'reason') }
        })),
      ...besideRedemption({ ...data, redemption: redemption_rollback }, customer_id, occurred_at)
    ],
    core: { rollback: id, card: card?.id ?? null, points, occurred_at: toMilliseconds(occurred_at) },
    ids: [id, card?.id, customer_id]
  }
}

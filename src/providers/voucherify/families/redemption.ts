import { Type } from '@sinclair/typebox'
import type { Envelope } from '../wire/envelope.ts'
import { naturalKey } from '../wire/ids.ts'
import { isObject } from '../wire/json.ts'
import { NO_SUBJECT } from '../wire/subject.ts'
import { customerOf } from '../payloads/card.ts'
import { besideRedemption, loyaltyCardOf, pointsOf, Redemption, redemptionPayload, requireReadVouchers, spend, succeeded, type RedemptionPayload } from '../payloads/redemption.ts'
import { Described, reader, relied } from '../payloads/decoder.ts'
import { optionalInstant, requiredId, requiredInstant, textIn, toMilliseconds } from '../payloads/values.ts'
import { sourceRankOf, type Family, type Reading } from './family.ts'

const readPayload = reader(Type.Object({
  ...redemptionPayload,
  // Without it nothing would say that points were spent.
  redemption: relied(Redemption),
  referral_tier: Described,
  balance: Described
}))

/**
 * A redemption: a spend, if what was redeemed is a loyalty card. `customer.rewarded` states of the same redemption that
 * it was exchanged for a reward; where no loyalty card was redeemed (a referral), no points were spent.
 */
export const redemption: Family = {
  types: ['redemption.succeeded', 'customer.redemption.succeeded', 'customer.rewarded'],
  recognises: data => isObject(data.redemption) && !isObject(data.redemption_rollback) && !isObject(data.transaction),
  read
}

function read (envelope: Envelope): Reading {
  const data = readPayload(envelope.data)
  const { redemption } = data
  if (redemption === null || redemption === undefined) return withoutRedemption(envelope, data)
  const id = requiredId(redemption.id, 'redemption.id')
  const occurred_at = requiredInstant('data.redemption.date', redemption.date, redemption.created_at, envelope.occurred_at)
  const card = succeeded(redemption) && !isReferral(data) ? loyaltyCardOf(data, redemption) : undefined
  if (card === undefined) requireReadVouchers(envelope.data)
  const customer_id = customerOf({ ...data, voucher: card ?? data.voucher })
  const amount = card === undefined ? null : pointsOf(redemption.amount)
  const points = amount === null ? null : -amount
  return {
    // Two events state a redemption that was exchanged for a reward: they must not replace each other.
    bare: isObject(envelope.data.reward)
      ? { event_id: naturalKey('rewarded', id), type: 'customer.rewarded' }
      : { event_id: naturalKey('redemption', id), type: succeeded(redemption) ? 'customer.redemption.succeeded' : 'redemption.failed' },
    subject: naturalKey('redemption', id),
    customer_id,
    occurred_at,
    facts: [
      ...(card === undefined
        ? []
        : spend(data, card, { entity: 'redemption', id, kind: 'redemption', points, source_rank: sourceRankOf(envelope), occurred_at, also: { redemption_id: id, reason: textIn(redemption, 'reason') } })),
      ...besideRedemption(data, customer_id, occurred_at)
    ],
    core: { redemption: id, card: card?.id ?? null, points, occurred_at: toMilliseconds(occurred_at) },
    ids: [id, card?.id, customer_id]
  }
}

/** Points given for a referral: the card in the payload receives them, and a code was redeemed. */
function isReferral ({ referral_tier, balance }: { referral_tier?: unknown, balance?: unknown }): boolean {
  return isObject(referral_tier) || (isObject(balance) && typeof balance.points === 'number' && balance.points > 0)
}

/** A customer can be rewarded without a redemption, for a referral: no points were spent. */
function withoutRedemption (envelope: Envelope, data: RedemptionPayload): Reading {
  const customer_id = customerOf(data)
  return {
    subject: NO_SUBJECT,
    customer_id,
    occurred_at: optionalInstant(envelope.occurred_at),
    facts: [],
    core: { rewarded: customer_id },
    ids: [customer_id]
  }
}

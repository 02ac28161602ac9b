import { Type } from '@sinclair/typebox'
import type { CardObservation } from '../../../ledger/facts.ts'
import type { Envelope } from '../wire/envelope.ts'
import { naturalKey } from '../wire/ids.ts'
import { about, cardObservation, snapshotOf, isLoyaltyCard } from '../payloads/card.ts'
import { people } from '../payloads/customer.ts'
import { Described, maybe, reader } from '../payloads/decoder.ts'
import { requiredId, requiredInstant, toMilliseconds } from '../payloads/values.ts'
import type { Family, Reading } from './family.ts'

const CREATED = 'customer.holder.assignment.created'
const DELETED = 'customer.holder.assignment.deleted'

const readPayload = reader(Type.Object({
  ...about,
  // Not a customer here but the assignment itself.
  holder: maybe(Type.Object({
    redeemable_id: maybe(Type.String()),
    voucher_type: maybe(Type.String()),
    customer_id: maybe(Type.String()),
    holder_role: Described
  }))
}))

/** A card given to a customer, or taken from them. */
export const holder: Family = {
  types: [CREATED, DELETED],
  recognises: () => false,
  read
}

function read (envelope: Envelope): Reading {
  const data = readPayload(envelope.data)
  const customer_id = requiredId(data.holder?.customer_id ?? data.customer?.id, 'holder.customer_id')
  const card_id = requiredId(data.holder?.redeemable_id ?? data.voucher?.id, 'voucher.id')
  const occurred_at = requiredInstant('event.created_at', envelope.occurred_at)
  const holdsPoints = data.holder?.voucher_type === 'LOYALTY_CARD' || isLoyaltyCard(data.voucher)
  // A referral programme assigns a card to referrer and referee, too; the points are the owner's.
  const owner = typeof data.holder?.holder_role !== 'string' || data.holder.holder_role === 'OWNER'
  const held: CardObservation = envelope.type === CREATED
    ? cardObservation(card_id, data, customer_id, occurred_at)
    : { ...cardObservation(card_id, data, null, occurred_at), released_id: customer_id }
  return {
    subject: naturalKey('card', card_id),
    customer_id,
    occurred_at,
    facts: holdsPoints && owner ? [held, ...snapshotOf(card_id, data.voucher), ...people(occurred_at, [data.customer], [customer_id])] : [],
    core: { type: String(envelope.type), card: card_id, customer: customer_id, occurred_at: toMilliseconds(occurred_at) },
    ids: [card_id, customer_id]
  }
}

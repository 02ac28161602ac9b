import { Type, type Static } from '@sinclair/typebox'
import type { CardObservation, MovementObservation } from '../../../ledger/facts.ts'
import type { Envelope } from '../wire/envelope.ts'
import { subjectOf } from '../wire/subject.ts'
import { Campaign, Card, cardObservation, snapshotOf, statedHolder, isLoyaltyCard } from '../payloads/card.ts'
import { Customer, people } from '../payloads/customer.ts'
import { Described, exact, exactInteger, maybe, reader, relied } from '../payloads/decoder.ts'
import { movementKey, optionalId, optionalInstant, requiredId, requiredInstant } from '../payloads/values.ts'
import { sourceRankOf, type Family, type Reading } from './family.ts'

const CREATED = 'voucher.created'
const PUBLISHED = 'voucher.published'
const DELETED = 'voucher.deleted'

const Payload = Type.Object({
  customer: maybe(Customer),
  holder: maybe(Customer),
  campaign: maybe(Campaign),
  // Nothing else in it is worth keeping.
  voucher: relied(Type.Object({ ...Card.properties, created_at: Described }))
})
type Payload = Static<typeof Payload>
const readPayload = reader(Payload)

/** A new card's points are those it was imported with. */
const readOpening = reader(Type.Object({
  voucher: Type.Object({ loyalty_card: relied(Type.Object({ points: relied(exactInteger()), balance: relied(exactInteger()) })) })
}))

/**
 * The life of a card: created, published to a customer, enabled, disabled, deleted. Vouchers of other types hold no
 * points.
 */
export const card: Family = {
  types: [CREATED, PUBLISHED, DELETED, 'voucher.updated', 'voucher.enabled', 'voucher.disabled'],
  recognises: () => false,
  read
}

function read (envelope: Envelope): Reading {
  const data = readPayload(envelope.data)
  const { voucher } = data
  const occurred_at = optionalInstant(envelope.occurred_at, voucher?.updated_at, voucher?.created_at)
  const customer_id = statedHolder(data) ?? optionalId(data.customer?.id, 'customer.id')
  const named = { subject: subjectOf(String(envelope.type), envelope.data), customer_id, ids: [voucher?.id, customer_id] }
  // Two sends of publishing, enabling and so on agree only that it happened; two sends of a creation also on the
  // points.
  const core = { type: String(envelope.type), card: voucher?.id ?? null }
  if (!isLoyaltyCard(voucher) || occurred_at === null) return { ...named, occurred_at, facts: [], core }
  const card_id = requiredId(voucher.id, 'voucher.id')
  const opening = envelope.type === CREATED ? openingOf(envelope, data, card_id) : []
  return {
    ...named,
    occurred_at,
    facts: [...opening, lifeOf(envelope, data, card_id, customer_id), ...snapshotOf(card_id, voucher), ...people(occurred_at, [data.customer, data.holder], [customer_id])],
    core: { ...core, points: opening[0]?.points ?? null }
  }

  function lifeOf (observed: Envelope, { campaign }: Payload, id: string, holder_id: string | null): CardObservation {
    const at = requiredInstant('event.created_at', observed.occurred_at, voucher?.updated_at, voucher?.created_at)
    const observation = cardObservation(id, { voucher, campaign }, holder_id, at)
    if (observed.type === 'voucher.enabled') observation.fields.active = 'true'
    if (observed.type === 'voucher.disabled') observation.fields.active = 'false'
    if (observed.type === DELETED) observation.fields.deleted_at = at
    return observation
  }
}

/** What the card held when it was created: 0, or the points it was imported with. */
function openingOf (envelope: Envelope, { voucher }: Payload, card_id: string): MovementObservation[] {
  const { loyalty_card } = readOpening(envelope.data).voucher
  const points = exact(loyalty_card?.balance ?? loyalty_card?.points)
  if (points === null) return []
  return [{
    fact: 'movement',
    movement_id: movementKey('opening', card_id),
    card_id,
    source_rank: sourceRankOf(envelope),
    kind: 'opening',
    points,
    reported_balance: points,
    occurred_at: requiredInstant('data.voucher.created_at', voucher?.created_at, envelope.occurred_at),
    order_id: null,
    earning_rule_id: null,
    // The card observation of the same event states the holder, as of the time of the event.
    holder_id: null,
    details: null
  }]
}

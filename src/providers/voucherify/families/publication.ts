import { Type } from '@sinclair/typebox'
import type { Envelope } from '../wire/envelope.ts'
import { naturalKey } from '../wire/ids.ts'
import { isObject } from '../wire/json.ts'
import { NO_SUBJECT } from '../wire/subject.ts'
import { about, Card, cardFacts, isLoyaltyCard, statedHolder } from '../payloads/card.ts'
import { Customer, people } from '../payloads/customer.ts'
import { Described, maybe, reader } from '../payloads/decoder.ts'
import { optionalId, requiredId, requiredInstant, toMilliseconds } from '../payloads/values.ts'
import type { Family, Reading } from './family.ts'

const TYPE = 'customer.publication.succeeded'

const readPublication = reader(Type.Object({
  ...about,
  publication: maybe(Type.Object({
    id: maybe(Type.String()),
    customer_id: maybe(Type.String()),
    customer: maybe(Customer),
    created_at: Described,
    voucher: maybe(Card),
    vouchers: Described
  }))
}))
interface Published { voucher?: Card | null | undefined }
const readListed = reader(Type.Object({ voucher: maybe(Card) }))

/** Codes that were given to a customer: who holds which card, and what is printed on it. */
export const publication: Family = {
  types: [TYPE, 'publication.succeeded'],
  recognises: data => isObject(data.publication),
  read
}

function read (envelope: Envelope): Reading {
  const data = readPublication(envelope.data)
  const { publication } = data
  const id = optionalId(publication?.id, 'publication.id')
  const customer_id = optionalId(publication?.customer_id ?? publication?.customer?.id, 'publication.customer_id') ?? statedHolder(data) ?? optionalId(data.customer?.id, 'customer.id')
  const occurred_at = requiredInstant('data.publication.created_at', publication?.created_at, envelope.occurred_at)
  const cards = cardsOf([data, publication, ...listed(publication?.vouchers)])
  const card_id = cards[0]?.[0]
  return {
    ...(id === null ? {} : { bare: { event_id: naturalKey('publication', id), type: TYPE } }),
    subject: id !== null ? naturalKey('publication', id) : card_id === undefined ? NO_SUBJECT : naturalKey('card', card_id),
    customer_id,
    occurred_at,
    facts: [
      ...cards.flatMap(([card, voucher]) => cardFacts(card, { voucher, campaign: data.campaign }, optionalId(voucher.holder_id, 'voucher.holder_id') ?? customer_id, occurred_at)),
      ...people(occurred_at, [data.customer, publication?.customer, data.holder], [customer_id])
    ],
    core: { publication: id, customer: customer_id, cards: cards.map(([card]) => card).sort().join(' '), occurred_at: toMilliseconds(occurred_at) },
    ids: [id, customer_id, ...cards.map(([card]) => card)]
  }
}

/** The loyalty cards among the vouchers, each once, as the first place that shows it does. */
function cardsOf (places: ReadonlyArray<Published | null | undefined>): Array<[card_id: string, voucher: Card]> {
  const cards = new Map<string, Card>()
  for (const { voucher } of places.filter(place => place !== null && place !== undefined)) {
    if (!isLoyaltyCard(voucher)) continue
    const card_id = requiredId(voucher.id, 'voucher.id')
    if (!cards.has(card_id)) cards.set(card_id, voucher)
  }
  return [...cards]
}

function listed (vouchers: unknown): Published[] {
  return Array.isArray(vouchers) ? vouchers.map((voucher: unknown) => readListed({ voucher })) : []
}

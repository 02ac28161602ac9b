import { Type, type Static } from '@sinclair/typebox'
import type { CardObservation, Fact, OrderObservation } from '../../../ledger/facts.ts'
import type { Instant } from '../../../ledger/instant.ts'
import { Customer, people } from './customer.ts'
import { firstId } from '../wire/ids.ts'
import { Described, exactInteger, maybe } from './decoder.ts'
import { optionalId, textIn } from './values.ts'

/** A voucher. Only those of type LOYALTY_CARD hold points. */
export const Card = Type.Object({
  id: maybe(Type.String()),
  code: Described,
  type: maybe(Type.String()),
  campaign: Described,
  campaign_id: Described,
  holder_id: maybe(Type.String()),
  active: Described,
  loyalty_card: Described
})
export type Card = Static<typeof Card>

export const Campaign = Type.Object({ id: Described, name: Described })

/**
 * `points` is the signed change, `balance` the available points after it. `total` changed its meaning: never read it.
 */
export const Balance = Type.Object({
  points: maybe(exactInteger()),
  balance: maybe(exactInteger()),
  related_object: Described
})

/** Who and what the payload of a loyalty event is about. */
export const about = {
  customer: maybe(Customer),
  holder: maybe(Customer),
  voucher: maybe(Card),
  campaign: maybe(Campaign)
}
export interface About {
  customer?: Customer | null | undefined
  holder?: Customer | null | undefined
  voucher?: Card | null | undefined
  campaign?: Static<typeof Campaign> | null | undefined
}

/** Does a voucher hold points? Whoever designed the payload may have left out its type. */
export function isLoyaltyCard (voucher: Card | null | undefined): voucher is Card {
  if (voucher === null || voucher === undefined) return false
  return voucher.type === undefined || voucher.type === null ? voucher.loyalty_card !== undefined && voucher.loyalty_card !== null : voucher.type === 'LOYALTY_CARD'
}

/** Who holds the card, where the payload says. */
export function statedHolder ({ holder, voucher }: About): string | null {
  return optionalId(voucher?.holder_id, 'voucher.holder_id') ?? optionalId(holder?.id, 'holder.id')
}

/**
 * Whose event it is: the holder's, else the acting customer's. Of an event about a card's own points that is its
 * holder.
 */
export function customerOf (data: About): string | null {
  return statedHolder(data) ?? optionalId(data.customer?.id, 'customer.id')
}

/** What a payload says of its card. */
export function cardObservation (card_id: string, { voucher, campaign }: Pick<About, 'voucher' | 'campaign'>, holder_id: string | null, occurred_at: Instant): CardObservation {
  const fields: CardObservation['fields'] = {}
  const observed = { code: textIn(voucher?.code), campaign_id: firstId(voucher?.campaign_id, campaign?.id), campaign: textIn(voucher?.campaign) ?? textIn(campaign?.name) }
  for (const [name, value] of Object.entries(observed) as Array<[keyof typeof observed, string | null | undefined]>) {
    if (value !== undefined) fields[name] = value
  }
  if (typeof voucher?.active === 'boolean') fields.active = String(voucher.active)
  return { fact: 'card', card_id, occurred_at, fields, ...(holder_id === null ? {} : { holder_id }) }
}

/**
 * The people and the orders that a payload shows beside its subject.
 * @param ids of people who must exist, since the payload is about them
 * @param orders observed in it; whoever placed one exists, too
 */
export function bystanders ({ customer, holder }: Pick<About, 'customer' | 'holder'>, ids: ReadonlyArray<string | null>, orders: readonly OrderObservation[], occurred_at: Instant): Fact[] {
  return [
    ...people(occurred_at, [customer, holder], [...ids, ...orders.map(order => order.customer_id)]),
    ...orders
  ]
}

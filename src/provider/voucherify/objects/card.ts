import { Type, type Static } from '@sinclair/typebox'
import type { CardSighting } from '../../../ledger/facts.ts'
import type { Instant } from '../../../ledger/instant.ts'
import { Customer } from './customer.ts'
import { exactInteger, maybe } from './schema.ts'
import { optionalId, optionalText } from './values.ts'

/** A voucher; of the types there are, only LOYALTY_CARD holds points. */
export const Card = Type.Object({
  id: maybe(Type.String()),
  code: maybe(Type.String()),
  type: maybe(Type.String()),
  campaign: maybe(Type.String()),
  campaign_id: maybe(Type.String()),
  holder_id: maybe(Type.String()),
  active: maybe(Type.Boolean()),
  loyalty_card: Type.Optional(Type.Unknown())
})
export type Card = Static<typeof Card>

export const Campaign = Type.Object({ id: maybe(Type.String()), name: maybe(Type.String()) })

/** `points` is the signed change, `balance` what is available after it. `total` changed its meaning: never read it. */
export const Balance = Type.Object({
  points: maybe(exactInteger()),
  balance: maybe(exactInteger()),
  related_object: maybe(Type.Object({ id: maybe(Type.String()), type: maybe(Type.String()) }))
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

/** Does a voucher hold points? A payload designer may have left out its type. */
export function isLoyaltyCard (voucher: Card | null | undefined): voucher is Card {
  if (voucher === null || voucher === undefined) return false
  return voucher.type === undefined || voucher.type === null ? voucher.loyalty_card !== undefined && voucher.loyalty_card !== null : voucher.type === 'LOYALTY_CARD'
}

/** Who holds the card, where the payload says. */
export function holderOf ({ holder, voucher }: About): string | null {
  return optionalId(voucher?.holder_id, 'voucher.holder_id') ?? optionalId(holder?.id, 'holder.id')
}

/** Whose event it is: the holder, else the customer who acts. Where an event is about a card's own points, that is its holder. */
export function customerOf (data: About): string | null {
  return holderOf(data) ?? optionalId(data.customer?.id, 'customer.id')
}

/** What a payload says of the card it is about. */
export function cardSighting (card_id: string, { voucher, campaign }: Pick<About, 'voucher' | 'campaign'>, holder_id: string | null, occurred_at: Instant): CardSighting {
  const fields: CardSighting['fields'] = {}
  const campaign_id = voucher?.campaign_id ?? campaign?.id
  const name = voucher?.campaign ?? campaign?.name
  if (voucher?.code !== undefined) fields.code = optionalText(voucher.code)
  if (campaign_id !== undefined) fields.campaign_id = optionalId(campaign_id, 'voucher.campaign_id')
  if (name !== undefined) fields.campaign = optionalText(name)
  if (typeof voucher?.active === 'boolean') fields.active = String(voucher.active)
  return { fact: 'card', card_id, occurred_at, fields, ...(holder_id === null ? {} : { holder_id }) }
}

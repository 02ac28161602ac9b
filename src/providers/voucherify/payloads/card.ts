import { Type, type Static } from '@sinclair/typebox'
import type { CardObservation, Fact, OrderObservation, SnapshotObservation } from '../../../ledger/facts.ts'
import type { Instant } from '../../../ledger/instant.ts'
import { Customer, people } from './customer.ts'
import { firstId } from '../wire/ids.ts'
import { isObject } from '../wire/json.ts'
import { Described, exactInteger, maybe, UnreadablePayload } from './decoder.ts'
import { optionalId, optionalInstant, textIn } from './values.ts'

/** A voucher. Only those of type LOYALTY_CARD hold points. */
export const Card = Type.Object({
  id: maybe(Type.String()),
  code: Described,
  type: maybe(Type.String()),
  campaign: Described,
  campaign_id: Described,
  holder_id: maybe(Type.String()),
  active: Described,
  loyalty_card: Described,
  updated_at: Described
})
export type Card = Static<typeof Card>

export const Campaign = Type.Object({ id: Described, name: Described })

/**
 * `points` is the signed change, `balance` the available points after it. `total` changed its meaning: never read it
 * but for pending points, where it is what is pending afterwards.
 */
export const Balance = Type.Object({
  points: Described,
  balance: maybe(exactInteger()),
  total: Described,
  related_object: Described
})

/**
 * The signed points of the first of several balances that states them. Something of a wrong kind in one of them is no
 * figure; where no other states one either, it is refused, as is a number that the parser has rounded.
 */
export function pointsAmong (field: string, ...balances: unknown[]): bigint | null {
  const stated = figures('points', balances)
  const read = stated.find(figure => Number.isSafeInteger(figure) || isRounded(figure))
  if (stated.length > 0 && !Number.isSafeInteger(read)) throw new UnreadablePayload(`data.${field}: Expected integer`)
  return read === undefined ? null : BigInt(read as number)
}

/** The available points after it, by the first of several balances that states them. One of a wrong kind is none. */
export function balanceAmong (field: string, ...balances: unknown[]): bigint | null {
  const read = figures('balance', balances).find(figure => Number.isSafeInteger(figure) || isRounded(figure))
  if (read !== undefined && !Number.isSafeInteger(read)) throw new UnreadablePayload(`data.${field}: Expected integer`)
  return read === undefined ? null : BigInt(read as number)
}

function figures (name: 'points' | 'balance', balances: readonly unknown[]): unknown[] {
  const stated = balances.map(balance => balance === null || balance === undefined ? null : isObject(balance) ? balance[name] : 'unread')
  return stated.filter(figure => figure !== null && figure !== undefined)
}

function isRounded (figure: unknown): boolean {
  return typeof figure === 'number' && Math.abs(figure) > Number.MAX_SAFE_INTEGER
}

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

/** What a payload says of its card: its fields and holder, and what it held at its last change. */
export function cardFacts (card_id: string, about: Pick<About, 'voucher' | 'campaign'>, holder_id: string | null, occurred_at: Instant): Fact[] {
  return [cardObservation(card_id, about, holder_id, occurred_at), ...snapshotOf(card_id, about.voucher)]
}

/**
 * `loyalty_card` is the state of the card as of `updated_at`. Without that time it is of no use. Neither identity nor a
 * movement depends on it, so what cannot be read counts as absent.
 */
export function snapshotOf (card_id: string, voucher: Card | null | undefined): SnapshotObservation[] {
  if (!isLoyaltyCard(voucher) || !isObject(voucher.loyalty_card)) return []
  const occurred_at = optionalInstant(voucher.updated_at)
  const balance = shownPoints(voucher.loyalty_card.balance)
  const pending = shownPoints(voucher.loyalty_card.pending_points)
  if (occurred_at === null || (balance === null && pending === null)) return []
  return [{ fact: 'snapshot', card_id, balance, pending, occurred_at }]
}

/** What is pending on a card in all, where a change of its pending points says. */
export function pendingTotalOf (card_id: string, total: unknown, occurred_at: Instant): SnapshotObservation[] {
  const pending = shownPoints(total)
  return pending === null ? [] : [{ fact: 'snapshot', card_id, balance: null, pending, occurred_at }]
}

function shownPoints (value: unknown): bigint | null {
  return Number.isSafeInteger(value) ? BigInt(value as number) : null
}

/** The fields of a card, and its holder. */
export function cardObservation (card_id: string, { voucher, campaign }: Pick<About, 'voucher' | 'campaign'>, holder_id: string | null, occurred_at: Instant): CardObservation {
  const fields: CardObservation['fields'] = {}
  const observed = { code: textIn(voucher, 'code'), campaign_id: firstId(voucher?.campaign_id, campaign?.id), campaign: textIn(voucher, 'campaign') ?? textIn(campaign, 'name') }
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

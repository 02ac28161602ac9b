import type { Instant } from './instant.ts'
import type { FieldTimes } from './latest.ts'

/** Why the points on a card cannot be spent. */
export type Unavailable = 'deleted' | 'disabled'

/** What decides it, as known now; `field_times` only for a past time. */
export interface CardLife { active: boolean | null, deleted_at: Instant | null, field_times?: FieldTimes }

/**
 * Whether the points of a card can be spent. Of a past time only this is known: since when the card has been in the
 * state that it is in now; before, it counts as usable.
 * @param at null: now
 */
export function unavailableAt ({ active, deleted_at, field_times }: CardLife, at: Instant | null): Unavailable | null {
  if (deleted_at !== null && (at === null || deleted_at <= at)) return 'deleted'
  const since = field_times?.['active']
  return active === false && (at === null || since === undefined || since <= at) ? 'disabled' : null
}

export function withAvailability<Card extends CardLife> (card: Card, at: Instant | null): Card & { unavailable: Unavailable | null } {
  return { ...card, unavailable: unavailableAt(card, at) }
}

/** A card with what is added up over the cards of a customer. */
export interface AddedUp extends CardLife {
  campaign_id: string | null
  campaign: string | null
  balance: bigint
  pending: bigint
  unexplained: bigint
  balance_stated_at: Instant | null
}

export interface TotalsOverCards { balance: bigint, unavailable: bigint, pending: bigint, unexplained: bigint }
export interface CampaignTotals extends TotalsOverCards { campaign_id: string | null, campaign: string | null, cards: number }

/** Totals over cards. What is on a card that has ended is not part of the balance; its pending points are pending. */
export function totalsOver (cards: readonly AddedUp[], at: Instant | null): TotalsOverCards {
  const totals: TotalsOverCards = { balance: 0n, unavailable: 0n, pending: 0n, unexplained: 0n }
  for (const card of cards) {
    totals[unavailableAt(card, at) === null ? 'balance' : 'unavailable'] += card.balance
    totals.pending += card.pending
    totals.unexplained += card.unexplained
  }
  return totals
}

/** The same totals by loyalty programme, in order of its id; cards whose programme is not known come last. */
export function totalsByCampaign (cards: readonly AddedUp[], at: Instant | null): CampaignTotals[] {
  const byCampaign = new Map<string | null, AddedUp[]>()
  for (const card of cards) byCampaign.set(card.campaign_id, [...byCampaign.get(card.campaign_id) ?? [], card])
  return [...byCampaign].map(([campaign_id, own]) => ({
    campaign_id,
    campaign: own.find(({ campaign }) => campaign !== null)?.campaign ?? null,
    ...totalsOver(own, at),
    cards: own.length
  })).sort((a, b) => a.campaign_id === null ? 1 : b.campaign_id === null ? -1 : a.campaign_id < b.campaign_id ? -1 : 1)
}

/** Since when the provider's figures are known for all cards; null where one of them has none. */
export function allStatedAt (cards: readonly AddedUp[]): Instant | null {
  const times = cards.map(({ balance_stated_at }) => balance_stated_at)
  return times.includes(null) ? null : (times as Instant[]).sort()[0] ?? null
}

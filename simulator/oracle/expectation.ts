import type { Delivery } from '../delivery.ts'
import type { CustomerFact, Fact, TierFact } from '../facts.ts'
import { factsOf } from './answers.ts'
import { foldFromScratch, pendingOf, type ExpectedLine, type ExpectedSums } from './card.ts'
import { grouped } from './grouped.ts'
import { holderOf } from './holder.ts'
import { compare } from './movements.ts'
import { profileOf, tiersOf, type ExpectedProfile, type ExpectedTier } from './people.ts'
import { orderOf, type ExpectedOrder } from './orders.ts'

export interface ExpectedCard extends ExpectedSums {
  card_id: string
  code: string | null
  campaign: string | null
  campaign_id: string | null
  /** null if no observation states it. */
  active: boolean | null
  deleted_at: string | null
  holder: string | null
  pending: number
  pending_unexplained: number
  /** null if nobody ever stated a balance. */
  balance_stated_at: string | null
  /** An opening is no movement. */
  last_movement_at: string | null
  /** Oldest first. */
  lines: ExpectedLine[]
}

export interface ExpectedCustomer {
  customer_id: string
  /** null without observations of the profile. */
  profile: ExpectedProfile | null
  tiers: ExpectedTier[]
  /** Of the cards that can be used. */
  balance: number
  unavailable: number
  pending: number
  unexplained: number
  /** The cards held now, by id. */
  cards: ExpectedCard[]
}

/** What a ledger should say. */
export interface Expectation {
  cards: Map<string, ExpectedCard>
  customers: Map<string, ExpectedCustomer>
  orders: Map<string, ExpectedOrder>
}

/**
 * What a ledger should say after it acknowledged these deliveries: any subset of a simulation's, in order of arrival,
 * with any repetitions. Plain and slow on purpose: it folds everything from the beginning, so it can check code that
 * does not. The order of arrival matters for conflicting deliveries only: the first one is kept.
 */
export function expectationOf (delivered: Iterable<Delivery>): Expectation {
  return expectationFrom(factsOf(delivered))
}

/** What a ledger should say that stored these facts. */
export function expectationFrom (facts: readonly Fact[]): Expectation {
  const observed = <Name extends Fact['fact']>(name: Name) => facts.filter((fact): fact is Extract<Fact, { fact: Name }> => fact.fact === name)
  const movements = grouped(observed('movement'), fact => fact.card_id)
  const snapshots = grouped(observed('snapshot'), fact => fact.card_id)
  const lots = grouped(observed('lot'), fact => fact.card_id)
  const holdings = grouped([...observed('holder'), ...observed('release')], fact => fact.card_id)
  const named = grouped(observed('card'), fact => fact.card_id)
  const orders = grouped(observed('order'), fact => fact.order_id)

  const cards = new Map<string, ExpectedCard>()
  for (const card_id of new Set([...movements.keys(), ...snapshots.keys(), ...lots.keys(), ...holdings.keys(), ...named.keys()])) {
    const seen = snapshots.get(card_id) ?? []
    const { lines, sums, balance_stated_at } = foldFromScratch(movements.get(card_id) ?? [], seen)
    const names = [...named.get(card_id) ?? []].sort((a, b) => compare(b.at, a.at))
    cards.set(card_id, {
      card_id,
      code: names[0]?.code ?? null,
      campaign: names[0]?.campaign ?? null,
      campaign_id: names[0]?.campaign_id ?? null,
      active: names[0]?.active ?? null,
      deleted_at: names.find(({ deleted }) => deleted)?.at ?? null,
      holder: holderOf(holdings.get(card_id) ?? []),
      ...sums,
      ...pendingOf(lots.get(card_id) ?? [], seen),
      balance_stated_at,
      last_movement_at: lines.findLast(({ kind }) => kind !== 'opening' && kind !== 'unexplained')?.occurred_at ?? null,
      lines
    })
  }
  return {
    cards,
    customers: customersOf(cards, grouped(observed('customer'), fact => fact.customer_id), grouped(observed('tier'), fact => fact.customer_id)),
    orders: new Map([...orders].map(([order_id, states]) => [order_id, orderOf(states)]))
  }
}

function customersOf (
  cards: ReadonlyMap<string, ExpectedCard>, profiles: ReadonlyMap<string, CustomerFact[]>, steps: ReadonlyMap<string, TierFact[]>
): Map<string, ExpectedCustomer> {
  const held = grouped([...cards.values()].filter(card => card.holder !== null), card => card.holder!)
  const customers = new Map<string, ExpectedCustomer>()
  for (const customer_id of new Set([...profiles.keys(), ...held.keys()])) {
    const own = (held.get(customer_id) ?? []).sort((a, b) => compare(a.card_id, b.card_id))
    const total = (field: 'balance' | 'pending' | 'unexplained', cards = own): number => cards.reduce((sum, card) => sum + card[field], 0)
    const usable = (card: ExpectedCard): boolean => card.deleted_at === null && card.active !== false
    customers.set(customer_id, {
      customer_id,
      profile: profileOf(profiles.get(customer_id) ?? []),
      tiers: tiersOf(steps.get(customer_id) ?? []),
      balance: total('balance', own.filter(usable)),
      unavailable: total('balance', own.filter(card => !usable(card))),
      pending: total('pending'),
      unexplained: total('unexplained'),
      cards: own
    })
  }
  return customers
}

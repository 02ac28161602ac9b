import type { Client } from '../client.ts'
import type { Differences } from '../differences.ts'
import type { ExpectedCustomer } from '../oracle/expectation.ts'
import type { ExpectedTier } from '../oracle/people.ts'
import { CARD } from './card.ts'
import { ask } from './ask.ts'

const TOTALS = ['balance', 'unavailable', 'pending', 'unexplained']
const PROFILE = ['source_id', 'name', 'email', 'metadata', 'deleted_at']
const TIER = ['tier_id', 'tier', 'change', 'since']

/** Compares a customer's profile, cards and tiers. */
export async function checkCustomer (client: Client, expected: ExpectedCustomer, differences: Differences): Promise<void> {
  const about = `customer ${expected.customer_id}`
  const path = `/v1/customers/${encodeURIComponent(expected.customer_id)}`
  const [profile, balance] = [await ask(client, path), await ask(client, `${path}/balance`)]
  if (profile.status === 404 || balance.status === 404) {
    differences.add({ about, field: 'customer', expected: `known, with ${expected.cards.length} cards`, got: 'not found' })
    return
  }
  checkHoldings(about, expected, balance.json as ExpectedCustomer, differences)
  checkProfile(about, expected, profile.json as GotProfile, differences)
}

type GotProfile = Record<string, unknown> & { tiers: ExpectedTier[], totals: Record<string, unknown> }

function checkProfile (about: string, expected: ExpectedCustomer, got: GotProfile, differences: Differences): void {
  if (expected.profile !== null) differences.compare(about, expected.profile, got, PROFILE)
  differences.compare(`${about}, totals`, { ...expected, cards: expected.cards.length }, got.totals, [...TOTALS, 'cards'])
  const found = new Map(got.tiers.map(tier => [tier.campaign_id, tier]))
  for (const tier of expected.tiers) {
    const other = found.get(tier.campaign_id)
    if (other === undefined) differences.add({ about, field: `tier in ${tier.campaign_id}`, expected: tier.tier, got: 'none' })
    else differences.compare(`${about}, tier in ${tier.campaign_id}`, tier, other, TIER)
    found.delete(tier.campaign_id)
  }
  for (const { campaign_id, tier } of found.values()) differences.add({ about, field: `tier in ${campaign_id}`, expected: 'none', got: tier })
}

function checkHoldings (about: string, expected: ExpectedCustomer, got: ExpectedCustomer, differences: Differences): void {
  differences.compare(about, expected, got, TOTALS)
  const found = new Map(got.cards.map(card => [card.card_id, card]))
  for (const card of expected.cards) {
    const other = found.get(card.card_id)
    if (other === undefined) differences.add({ about, field: `card ${card.card_id}`, expected: 'held', got: 'not held' })
    else differences.compare(`${about}, card ${card.card_id}`, card, other, CARD)
    found.delete(card.card_id)
  }
  for (const card_id of found.keys()) differences.add({ about, field: `card ${card_id}`, expected: 'not held', got: 'held' })
}

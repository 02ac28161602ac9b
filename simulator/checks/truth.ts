import { instant } from '../clock.ts'
import type { Client } from '../client.ts'
import type { Differences } from '../differences.ts'
import type { Card, Order, World } from '../model.ts'
import { ask } from './ask.ts'

const READERS = 8

/**
 * Compares a ledger with the provider's world itself, and not with what was delivered: for a ledger that has asked the
 * provider. What the provider's API no longer shows is not compared: cards that are deleted.
 */
export async function checkTruth (client: Client, { cards, orders }: World, differences: Differences, onCompared: () => void = () => {}): Promise<void> {
  const tasks: Array<() => Promise<void>> = [
    ...cards.filter(({ deleted }) => !deleted).map(card => async () => { await checkTrueCard(client, card, differences) }),
    ...orders.map(order => async () => { await checkTrueOrder(client, order, differences) })
  ]
  let next = 0
  await Promise.all(Array.from({ length: READERS }, async () => {
    while (next < tasks.length) {
      await tasks[next++]?.()
      onCompared()
    }
  }))
}

/** How many objects `checkTruth` compares. */
export function sizeOfTruth ({ cards, orders }: World): number {
  return cards.filter(({ deleted }) => !deleted).length + orders.length
}

async function checkTrueCard (client: Client, { now }: Card, differences: Differences): Promise<void> {
  const about = `card ${now.id}`
  const answer = await ask(client, `/v1/cards/${encodeURIComponent(now.id)}`)
  if (answer.status === 404) {
    differences.add({ about, field: 'card', expected: `${now.balance} points`, got: 'not found' })
    return
  }
  const truth = {
    balance: now.balance,
    pending: now.pending,
    unexplained: 0,
    pending_unexplained: 0,
    code: now.code,
    campaign_id: now.campaign.id,
    customer_id: now.holder?.id ?? null,
    active: now.active
  }
  differences.compare(about, truth, answer.json as object, Object.keys(truth))
}

async function checkTrueOrder (client: Client, { now }: Order, differences: Differences): Promise<void> {
  const about = `order ${now.id}`
  const answer = await ask(client, `/v1/orders/${encodeURIComponent(now.id)}`)
  if (answer.status === 404) {
    differences.add({ about, field: 'order', expected: now.status, got: 'not found' })
    return
  }
  const truth = {
    status: now.status,
    customer_id: now.customer.id,
    amount: now.amount,
    total_amount: now.amount - now.discount,
    items: now.items,
    metadata: now.metadata,
    updated_at: instant(now.updated_at)
  }
  differences.compare(about, truth, answer.json as object, Object.keys(truth))
}

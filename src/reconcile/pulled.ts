import type { Fact } from '../ledger/facts.ts'
import type { EventReader } from '../providers/provider.ts'
import type { StatedCard } from './statement.ts'

/** What some pulled objects state that cards hold: of each card the last statement. Unreadable ones state nothing. */
export function statedIn (deliveries: readonly Buffer[], provider: EventReader): StatedCard[] {
  const stated = new Map<string, StatedCard>()
  for (const body of deliveries) {
    for (const fact of factsIn(body, provider)) addStated(stated, fact)
  }
  return [...stated.values()]
}

function factsIn (body: Buffer, provider: EventReader): Fact[] {
  try {
    return provider.factsOf(body.toString())
  } catch {
    // Storing it says why.
    return []
  }
}

function addStated (stated: Map<string, StatedCard>, fact: Fact): void {
  if (fact.fact === 'snapshot') mergeStated(stated, { card_id: fact.card_id, ...figures(fact.balance, fact.pending, fact.occurred_at) })
  if (fact.fact === 'movement') mergeStated(stated, { card_id: fact.card_id, ...figures(fact.reported_balance, null, fact.occurred_at) })
}

function figures (balance: bigint | null, pending: bigint | null, at: StatedCard['balance_at']): Omit<StatedCard, 'card_id'> {
  return { balance, balance_at: balance === null ? null : at, pending, pending_at: pending === null ? null : at }
}

/** Adds a statement; of two of one time the later one counts, since lists are read in order. */
export function mergeStated (stated: Map<string, StatedCard>, next: StatedCard): void {
  const before = stated.get(next.card_id)
  if (before === undefined) {
    stated.set(next.card_id, next)
    return
  }
  const merged = { ...before }
  if (next.balance_at !== null && (merged.balance_at === null || next.balance_at >= merged.balance_at)) Object.assign(merged, { balance: next.balance, balance_at: next.balance_at })
  if (next.pending_at !== null && (merged.pending_at === null || next.pending_at >= merged.pending_at)) Object.assign(merged, { pending: next.pending, pending_at: next.pending_at })
  stated.set(next.card_id, merged)
}

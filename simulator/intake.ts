import type { Delivery } from './delivery.ts'
import type { Fact } from './facts.ts'

/** What a fresh ledger answers. `stored`: accepted or duplicate; test deliveries share ids, so it cannot be said which. */
export type Answer = 'accepted' | 'duplicate' | 'stored' | 'quarantined' | 'refused'

export interface Ingest {
  /** One answer a delivery, in order. */
  answers: Answer[]
  /** What was stored and counts, in order of arrival. */
  stored: Delivery[]
}

/**
 * What a fresh ledger does with deliveries that arrive one after the other: of one key the first is stored for ever, the same
 * facts again are a duplicate, and other facts go to quarantine.
 */
export function takeIn (deliveries: Iterable<Delivery>): Ingest {
  const kinds = new Map<string, Delivery['kind']>()
  const answers: Answer[] = []
  const stored: Delivery[] = []
  for (const delivery of deliveries) answers.push(answerTo(delivery))
  return { answers, stored }

  function answerTo (delivery: Delivery): Answer {
    const { kind, key } = delivery
    if (kind === 'forged') return 'refused'
    if (kind === 'unusable') return 'quarantined'
    if (key === undefined) return 'stored'
    const first = kinds.get(key)
    if (first !== undefined) return first === kind ? 'duplicate' : 'quarantined'
    kinds.set(key, kind)
    stored.push(delivery)
    return 'accepted'
  }
}

/** Every fact that the deliveries tell once they are taken in. */
export function factsOf (deliveries: Iterable<Delivery>): Fact[] {
  return takeIn(deliveries).stored.flatMap(delivery => [...delivery.facts])
}

import type { Delivery } from '../delivery.ts'
import type { Fact } from '../facts.ts'
import { microsBetween } from './times.ts'

/** What an empty ledger answers. `stored`: accepted or duplicate; test deliveries share ids, so either may come. */
export type Answer = 'accepted' | 'duplicate' | 'stored' | 'quarantined' | 'refused'

export interface ExpectedAnswers {
  /** One answer for each delivery, in order. */
  answers: Answer[]
  /** The deliveries whose events are stored and projected, in order of arrival. */
  stored: Delivery[]
}

/**
 * The answers of an empty ledger to deliveries that arrive one after the other: the first of a key is stored for ever,
 * the same facts again are a duplicate, and other facts are quarantined.
 */
export function expectedAnswers (deliveries: Iterable<Delivery>): ExpectedAnswers {
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

/** The facts of all deliveries that are stored. */
export function factsOf (deliveries: Iterable<Delivery>): Fact[] {
  return expectedAnswers(deliveries).stored.flatMap(delivery => withObservedBalances(delivery.facts))
}

/** A snapshot and a movement of one event that are dated within 100 ms are about the same change. */
const ONE_CHANGE = 100_000

/** Gives the balance of such a snapshot to a movement that states none, and drops that of every such snapshot. */
function withObservedBalances (facts: readonly Fact[]): Fact[] {
  const movements = facts.filter(fact => fact.fact === 'movement')
  const snapshots = facts.filter(fact => fact.fact === 'snapshot')
  return facts.map((fact): Fact => {
    if (fact.fact === 'movement' && fact.reported_balance === null) {
      const snapshot = snapshots.find(({ card_id, at }) => card_id === fact.card_id && microsBetween(at, fact.occurred_at) <= ONE_CHANGE)
      return snapshot === undefined || snapshot.balance === null ? fact : { ...fact, observed_balance: snapshot.balance }
    }
    if (fact.fact !== 'snapshot') return fact
    const ofMovement = movements.some(({ card_id, occurred_at }) => card_id === fact.card_id && microsBetween(fact.at, occurred_at) <= ONE_CHANGE)
    return ofMovement ? { ...fact, balance: null } : fact
  })
}

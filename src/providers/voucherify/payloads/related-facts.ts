import type { Fact, OrderObservation } from '../../../ledger/facts.ts'
import type { Instant } from '../../../ledger/instant.ts'
import type { About } from './card.ts'
import { people } from './customer.ts'

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

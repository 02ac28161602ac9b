import type { Fact } from '../../ledger/facts.ts'

/** What a projection keeps rows of: each fact changes one of one projection's. */
export type Entity = 'customer' | 'tier' | 'order' | 'card'

export function entityOf ({ fact }: Fact): Entity {
  switch (fact) {
    case 'movement': case 'pending': case 'card': return 'card'
    case 'order': return 'order'
    case 'customer': return 'customer'
    case 'tier': return 'tier'
  }
}

/** What a fact changes: the unit that stands still when it cannot be folded, `card:v_…` or the like. */
export function parkingKeyOf (fact: Fact): string {
  switch (fact.fact) {
    case 'movement': case 'pending': case 'card': return keyFor('card', fact.card_id)
    case 'order': return keyFor('order', fact.order_id)
    case 'customer': return keyFor('customer', fact.customer_id)
    case 'tier': return keyFor('tier', fact.customer_id)
  }
}

export function keyFor (entity: Entity, id: string): string {
  return `${entity}:${id}`
}

/** The key of what an event tells that cannot be read: nobody knows yet of whom. */
export function keyOfEvent ({ event_id, subject }: { event_id: string, subject: string }): string {
  return `event:${event_id}/${subject}`
}

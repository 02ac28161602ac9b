import type { Placed } from '../decode.ts'
import type { Entity } from '../projection.ts'

/** The parking key of a fact, such as `card:v_…`: what is parked if the fact cannot be folded. */
export function parkingKeyOf ({ observed: { fact } }: Placed): string {
  switch (fact.fact) {
    case 'movement': case 'snapshot': case 'pending': case 'card': return keyFor('card', fact.card_id)
    case 'order': return keyFor('order', fact.order_id)
    case 'customer': return keyFor('customer', fact.customer_id)
    case 'tier': return keyFor('tier', fact.customer_id)
    case 'expiration': return keyFor('bucket', fact.bucket_id)
    case 'unread': return keyFor('event_type', fact.type)
  }
}

export function keyFor (entity: Entity, id: string): string {
  return `${entity}:${id}`
}

/** The parking key of an unreadable event: it is not known yet what the event is about. */
export function keyOfEvent ({ event_id, subject }: { event_id: string, subject: string }): string {
  return `event:${event_id}/${subject}`
}

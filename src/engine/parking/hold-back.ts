import type { MentionedIds } from '../../providers/provider.ts'
import { addWaiting, holdParked, park, parkingOf, type Parking, type Waiting } from './parked.sql.ts'
import type { Trx } from '../../postgres/database.ts'
import { keyFor, parkingKeyOf, keyOfEvent } from './parking-keys.ts'
import type { Projection } from '../projection.ts'
import { factsFor, type DecodedEvent, type Placed } from '../decode.ts'

/**
 * Holds back the facts that must wait: those about parked keys, and those about keys that an unreadable event mentions,
 * from that event on. An unreadable event also waits under a key of its own.
 * @returns the facts that may be folded
 */
export async function holdBack (trx: Trx, projection: Projection, shard: number, events: readonly DecodedEvent[]): Promise<Placed[]> {
  const placed = factsFor(projection, events).map(fact => ({ fact, key: parkingKeyOf(fact) }))
  const unreadable = events.flatMap(({ event, unreadable }) => unreadable === undefined ? [] : [{ event, ...unreadable }])
  const concerned = new Map(unreadable.map(({ event, mentioned }) => [event.position, concernedKeys(projection, mentioned)]))
  const parked = await holdParked(trx, projection.name, [...new Set([...placed.map(({ key }) => key), ...[...concerned.values()].flat()])])

  // The position from which on the facts of a key wait.
  const since = new Map([...parked].map(key => [key, 0n]))
  const parkings: Parking[] = []
  const waiting: Waiting[] = []
  for (const { event, error } of unreadable) {
    for (const key of [keyOfEvent(event), ...concerned.get(event.position) ?? []]) {
      waiting.push({ projection: projection.name, key, shard, position: event.position })
      if (since.has(key)) continue
      since.set(key, event.position)
      parkings.push(parkingOf(projection.name, key, shard, event, 'event_unreadable', error))
    }
  }
  const waits = ({ fact: { position }, key }: typeof placed[number]): boolean => position >= (since.get(key) ?? position + 1n)
  waiting.push(...placed.filter(waits).map(({ fact: { position }, key }) => ({ projection: projection.name, key, shard, position })))
  await park(trx, parkings)
  await addWaiting(trx, waiting)
  return placed.filter(one => !waits(one)).map(({ fact }) => fact)
}

function concernedKeys (projection: Projection, { cards, orders }: MentionedIds): string[] {
  switch (projection.entity) {
    case 'card': return cards.map(id => keyFor('card', id))
    case 'order': return orders.map(id => keyFor('order', id))
    // Customers, tiers and buckets are merged by the times that facts state, and types are counted: no order matters.
    case 'customer': case 'tier': case 'bucket': case 'event_type': return []
  }
}

import type { MentionedIds } from '../../providers/provider.ts'
import { addWaiting, holdParked, park, type Parking, type Waiting } from './parked.sql.ts'
import type { Trx } from '../../postgres/database.ts'
import type { StoredEvent } from '../../log/read.sql.ts'
import { entityOf, keyFor, parkingKeyOf, keyOfEvent } from './parking-keys.ts'
import type { Projection, Observed } from '../projection.ts'
import type { DecodedEvent } from '../decode.ts'

/** A fact at its place in the shard. */
export interface Placed { observed: Observed, position: bigint }

/** The parking key of a fact. Computed on demand; rarely needed. */
export function keyOfPlaced ({ observed }: Placed): string {
  return parkingKeyOf(observed.fact)
}

/** The facts of events that a projection folds, in order. */
export function factsFor (projection: Projection, events: readonly DecodedEvent[]): Placed[] {
  const placed: Placed[] = []
  for (const { event: { position }, observed } of events) {
    for (const one of observed) if (entityOf(one.fact) === projection.entity) placed.push({ observed: one, position })
  }
  return placed
}

/**
 * Holds back the facts that must wait: those about parked keys, and those about keys that an unreadable event mentions,
 * from that event on. An unreadable event also waits under a key of its own.
 * @returns the facts that may be folded
 */
export async function holdBack (trx: Trx, projection: Projection, shard: number, events: readonly DecodedEvent[]): Promise<Placed[]> {
  const placed = factsFor(projection, events).map(fact => ({ fact, key: keyOfPlaced(fact) }))
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
      parkings.push(parkingOf(projection, key, shard, event, 'event_unreadable', error))
    }
  }
  const waits = ({ fact: { position }, key }: typeof placed[number]): boolean => position >= (since.get(key) ?? position + 1n)
  waiting.push(...placed.filter(waits).map(({ fact: { position }, key }) => ({ projection: projection.name, key, shard, position })))
  await park(trx, parkings)
  await addWaiting(trx, waiting)
  return placed.filter(one => !waits(one)).map(({ fact }) => fact)
}

export function parkingOf (
  projection: Projection, key: string, shard: number, { event_id, subject, position }: Pick<StoredEvent, 'event_id' | 'subject' | 'position'>,
  code: Parking['code'], error: unknown
): Parking {
  return { projection: projection.name, key, shard, position, event_id, subject, code, reason: reasonOf(error) }
}

/**
 * The text of an error for a list. A database's text can be long, and contain a character that text columns cannot
 * store.
 */
export function reasonOf (error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replaceAll('\u0000', '').slice(0, 500)
}

function concernedKeys (projection: Projection, { cards, orders }: MentionedIds): string[] {
  switch (projection.entity) {
    case 'card': return cards.map(id => keyFor('card', id))
    case 'order': return orders.map(id => keyFor('order', id))
    // Customers and tiers are merged field by field, by field time, so their facts need no order.
    case 'customer': case 'tier': return []
  }
}

import type { Fact, MovementObservation, OrderObservation } from '../ledger/facts.ts'
import { cards } from '../projections/cards/projection.ts'
import { customers } from '../projections/customers/projection.ts'
import { keyFor, keyOfEvent } from '../engine/parking/parking-keys.ts'
import { orders } from '../projections/orders/projection.ts'
import type { Projection, Observed } from '../engine/projection.ts'
import type { Trx } from '../postgres/database.ts'
import { dropCustomer, dropOrders, forgetReasons, replaceDetails, waitingPlace, type FoldedUpTo } from './erasure.sql.ts'
import { inBatches, type BatchLimits } from '../log/batches.ts'
import { findBodies } from '../log/read.sql.ts'
import { eventKeyOf, type SearchedEvent, type Search } from './search.ts'

/** The most that one transaction erases: its locks make workers wait. */
export const CHUNK: BatchLimits = { items: 200, bytes: 8_000_000 }

/** An event whose body changes, with its facts before and after. */
export interface Changed { entry: SearchedEvent, before: Fact[], after: Fact[] }

/**
 * Rebuilds the rows of one projection schema that depend on redacted events: the customer, orders whose facts changed,
 * and the details of movements. Uses the projections' own folds, over every event about them that does not wait under a
 * parked key. The caller has locked all checkpoints of the schema; a projection that it does not have is left out.
 */
export async function refold (trx: Trx, search: Search, changed: readonly Changed[], foldedUpTo: FoldedUpTo): Promise<void> {
  const byKey = new Map(changed.map(change => [eventKeyOf(change.entry), change]))
  if (foldedUpTo.positions.has(customers.name)) await refoldCustomer(trx, search, byKey, appliedBy(customers, foldedUpTo))
  if (foldedUpTo.positions.has(orders.name)) await refoldOrders(trx, search, byKey, appliedBy(orders, foldedUpTo))
  if (foldedUpTo.positions.has(cards.name)) await refoldDetails(trx, changed)
  await forgetReasons(trx, changed.map(({ entry }) => entry))
}

/** Is a fact of an event in the rows of a projection? */
type Applied = (entry: SearchedEvent, id: string) => boolean

function appliedBy (projection: Projection, { positions, waiting }: FoldedUpTo): Applied {
  return (entry, id) => {
    const waits = (key: string): boolean => waiting.has(waitingPlace({ ...entry, projection: projection.name, key }))
    return entry.position <= (positions.get(projection.name)?.get(entry.shard) ?? 0n) && !waits(keyFor(projection.entity, id)) && !waits(keyOfEvent(entry))
  }
}

async function refoldDetails (trx: Trx, changed: readonly Changed[]): Promise<void> {
  const details = changed.flatMap(({ entry: { event_id, subject }, before, after }) => {
    const observed = new Map(movementsIn(before).map(movement => [placeOf(movement), movement.details]))
    return movementsIn(after).filter(movement => observed.get(placeOf(movement)) !== movement.details)
      .map(({ movement_id, card_id, details }) => ({ movement_id, card_id, event_id, subject, details }))
  })
  if (details.length > 0) await replaceDetails(trx, details)
}

async function refoldCustomer (trx: Trx, search: Search, changed: ReadonlyMap<string, Changed>, applied: Applied): Promise<void> {
  const observed: Observed[] = []
  let differs = false
  for (const entry of search.entries.values()) {
    const change = changed.get(eventKeyOf(entry))
    const { profile } = change === undefined ? entry : search.shownBy(change.after)
    differs ||= change !== undefined && JSON.stringify(profile) !== JSON.stringify(search.shownBy(change.before).profile)
    if (applied(entry, search.customer_id)) observed.push(...profile.map(fact => observationOf(fact, entry)))
  }
  if (!differs || observed.length === 0) return
  await dropCustomer(trx, search.customer_id)
  await customers.apply(trx, observed)
}

async function refoldOrders (trx: Trx, search: Search, changed: ReadonlyMap<string, Changed>, applied: Applied): Promise<void> {
  const touched = new Set([...changed.values()].flatMap(({ before, after }) => {
    const digests = new Set(ordersIn(after).map(({ state_digest }) => state_digest))
    return ordersIn(before).filter(({ state_digest }) => !digests.has(state_digest)).map(({ order_id }) => order_id)
  }))
  if (touched.size === 0) return
  const observation = [...search.entries.values()].filter(entry => entry.orders.some(order_id => touched.has(order_id)))
  const observed: Observed[] = []
  const note = (facts: readonly Fact[], entry: SearchedEvent): void => {
    observed.push(...ordersIn(facts).filter(({ order_id }) => touched.has(order_id) && applied(entry, order_id)).map(fact => observationOf(fact, entry)))
  }
  for (const entry of observation) note(changed.get(eventKeyOf(entry))?.after ?? [], entry)
  const others = observation.filter(entry => !changed.has(eventKeyOf(entry)))
  for await (const batch of inBatches(others, CHUNK, ({ body_bytes }) => body_bytes)) {
    const bodies = new Map((await findBodies(trx, batch)).map(found => [eventKeyOf(found), found.body]))
    for (const entry of batch) note(search.factsIn({ ...entry, body: bodies.get(eventKeyOf(entry)) ?? '' }), entry)
  }
  await dropOrders(trx, [...touched])
  if (observed.length > 0) await orders.apply(trx, observed)
}

function observationOf<F extends Fact> (fact: F, { event_id, subject, recorded_at, fact_digest }: SearchedEvent): Observed<F> {
  return { fact, event_id, subject, recorded_at, fact_digest }
}

function ordersIn (facts: readonly Fact[]): OrderObservation[] {
  return facts.filter(fact => fact.fact === 'order')
}

function movementsIn (facts: readonly Fact[]): MovementObservation[] {
  return facts.filter(fact => fact.fact === 'movement')
}

function placeOf ({ movement_id, card_id }: MovementObservation): string {
  return JSON.stringify([movement_id, card_id])
}

import { Type } from '@sinclair/typebox'
import { NOBODY, SOURCE_RANK, type Fact, type PendingObservation } from '../../../ledger/facts.ts'
import type { Instant } from '../../../ledger/instant.ts'
import { firstId, idOf, naturalKey } from '../wire/ids.ts'
import type { JsonObject } from '../wire/json.ts'
import { bystanders, about, Card, cardObservation, isLoyaltyCard, snapshotOf, statedHolder } from '../payloads/card.ts'
import { Customer, customerObservation, people } from '../payloads/customer.ts'
import { Described, digest, exact, maybe, reader, UnreadablePayload, type Core } from '../payloads/decoder.ts'
import { Order, orderCore, orderObservation } from '../payloads/order.ts'
import { PendingPoints, Transaction } from '../payloads/transaction.ts'
import { dayOf, optionalId, requiredId, requiredInstant, timeText, toMilliseconds } from '../payloads/values.ts'
import type { Reading } from './family.ts'
import { readingOfRowAlone } from './row-reading.ts'

/**
 * What is read in an object that stands alone, of the API or of a row of an export: how something is as of its last
 * change. `version`: the end of the event's id, of one length for every object of a kind.
 */
export type ObjectReading = Omit<Reading, 'bare'> & { version: string }

const readTransaction = reader(Type.Object({ ...Transaction.properties, campaign_id: maybe(Type.String()) }))

/**
 * The source rank is that of the webhook with the same row: the API states the time as exactly. What a row lacks, such
 * as the holder, other observations of its movement state.
 */
export function transactionObject (object: JsonObject): ObjectReading {
  const row = readTransaction(object)
  return { ...readingOfRowAlone(row, optionalId(row.campaign_id, 'object.campaign_id'), SOURCE_RANK.transaction), version: '' }
}

const times = { created_at: Described, updated_at: Described }

/** When an object last changed: one that never did says so by a null. */
function lastChange ({ updated_at, created_at }: { updated_at?: unknown, created_at?: unknown }): Instant {
  return requiredInstant('data.object.updated_at', updated_at, created_at)
}

const readCard = reader(Type.Object({ ...Card.properties, ...times, customer: about.customer, holder: about.holder }))

/** A card, or a voucher of another type, which holds no points. */
export function cardObject (object: JsonObject): ObjectReading {
  const voucher = readCard(object)
  const card_id = requiredId(voucher.id, 'object.id')
  const occurred_at = lastChange(voucher)
  const { customer, holder } = voucher
  const customer_id = statedHolder({ voucher, holder })
  const [snapshot] = snapshotOf(card_id, { ...voucher, updated_at: occurred_at })
  const unheld = voucher.holder_id === null && customer_id === null
  const observation = cardObservation(card_id, { voucher }, unheld ? NOBODY : customer_id, occurred_at)
  const facts: Fact[] = isLoyaltyCard(voucher)
    ? [observation, ...(snapshot === undefined ? [] : [snapshot]), ...bystanders({ customer, holder }, [customer_id], [], occurred_at)]
    : []
  return versioned('card', card_id, occurred_at, {
    customer_id,
    facts,
    core: { holder: customer_id, active: observation.fields.active ?? null, balance: snapshot?.balance ?? null, pending: snapshot?.pending ?? null }
  })
}

const readOrder = reader(Order)

export function orderObject (object: JsonObject): ObjectReading {
  const order = readOrder(object)
  const observation = orderObservation(order, null)
  const { order_id, customer_id, updated_at } = observation
  // Not the merchant's own id of the order, which can name a person and then goes with them.
  const { order: _, order_source_id: __, order_updated_at: ___, ...core } = orderCore(observation)
  return versioned('order', order_id, updated_at, {
    customer_id,
    facts: [observation, ...people(updated_at, [order.customer], [customer_id])],
    core: { customer: customer_id, ...core }
  })
}

const readCustomer = reader(Type.Object({ ...Customer.properties, ...times }))

/** Whatever is personal can be erased, and so is not part of the version. */
export function customerObject (object: JsonObject): ObjectReading {
  const customer = readCustomer(object)
  const customer_id = requiredId(customer.id, 'object.id')
  const occurred_at = lastChange(customer)
  return versioned('customer', customer_id, occurred_at, { customer_id, facts: customerObservation(customer, occurred_at), core: {} })
}

const readLot = reader(Type.Object({ ...PendingPoints.properties, ...times }))

/** A lot that is listed is open: one that has ended is listed no more. */
export function lotObject (object: JsonObject): ObjectReading {
  const lot = readLot(object)
  const pending_id = requiredId(lot.id, 'object.id')
  const card_id = requiredId(lot.voucher_id, 'object.voucher_id')
  const occurred_at = lastChange(lot)
  const customer_id = optionalId(lot.customer_id, 'object.customer_id')
  const points = exact(lot.points)
  if (points === null) throw new UnreadablePayload('data.object.points: how many points are pending is needed here')
  const changed = timeText(lot.updated_at) !== undefined && lot.updated_at !== lot.created_at
  const observation: PendingObservation = {
    fact: 'pending',
    pending_id,
    card_id,
    state: changed ? 'updated' : 'added',
    points,
    activates_on: dayOf(lot.activates_at),
    occurred_at,
    order_id: firstId(lot.order_id, idOf(lot.details?.order)) ?? null,
    earning_rule_id: idOf(lot.details?.earning_rule) ?? null,
    holder_id: customer_id
  }
  return versioned('pending', pending_id, occurred_at, {
    customer_id,
    facts: [observation, ...people(occurred_at, [], [customer_id])],
    core: { card: card_id, state: observation.state, points, activates_on: observation.activates_on }
  })
}

/** One version of an object. `core`: what can differ between two versions with the same time. */
export function versioned (entity: string, id: string, occurred_at: Instant, { customer_id, facts, core }: { customer_id: string | null, facts: Fact[], core: Core }): ObjectReading {
  return {
    version: `:${occurred_at}:${digest(Object.values(core)).slice(0, 16)}`,
    subject: naturalKey(entity, id),
    customer_id,
    occurred_at,
    facts,
    core: { [entity]: id, occurred_at: toMilliseconds(occurred_at), ...core },
    ids: [id, customer_id]
  }
}

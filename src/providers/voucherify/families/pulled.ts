import type { Envelope } from '../wire/envelope.ts'
import { isObject, type JsonObject } from '../wire/json.ts'
import { UnreadablePayload } from '../payloads/decoder.ts'
import type { Family, Reading } from './family.ts'
import { cardObject, customerObject, lotObject, orderObject, transactionObject, type ObjectReading } from './objects.ts'

/** The kinds of objects that the provider's API returns and the ledger reads. */
export const PULLED_KINDS = ['transaction', 'card', 'order', 'customer', 'pending_points'] as const
export type PulledKind = typeof PULLED_KINDS[number]

/**
 * The body of the delivery that carries an object of the provider's API. The object's text is kept byte for byte:
 * parsing and writing it again would change numbers.
 * @param object JSON text of one object, as the API returned it
 */
export function pulledBody (kind: PulledKind, object: string): Buffer {
  return Buffer.from(`{"pulled":"${kind}","object":${object}}`)
}

const readers: Record<PulledKind, (object: JsonObject) => ObjectReading> = {
  transaction: transactionObject,
  card: cardObject,
  order: orderObject,
  customer: customerObject,
  pending_points: lotObject
}

/**
 * An object as the provider's API returned it: a row of a card's ledger, a card, an order, a customer, or a lot of
 * pending points. A row never changes. Of the others each version is an event of its own, named by its last change and
 * a digest of the figures in it, because the figures can change without a new time.
 */
export const pulled: Family = {
  types: [],
  recognises: data => kindOf(data) !== undefined && isObject(data.object),
  read
}

function read ({ data }: Envelope): Reading {
  const kind = kindOf(data)
  if (kind === undefined || !isObject(data.object)) throw new UnreadablePayload('data.object: the object that the API returned is needed here')
  const { version, ...reading } = readers[kind](data.object)
  return { ...reading, bare: { event_id: `pulled:${reading.subject}${version}`, type: `pulled.${kind}` } }
}

function kindOf ({ pulled: kind }: JsonObject): PulledKind | undefined {
  return PULLED_KINDS.find(known => known === kind)
}

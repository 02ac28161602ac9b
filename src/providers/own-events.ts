import { hash } from 'node:crypto'
import { parseInstant } from '../ledger/instant.ts'
import type { EventReader, IdentifiedDelivery, Unusable } from './provider.ts'

/** Types of events that the ledger writes itself. What they say is believed, so nobody else may have one stored. */
export const OWN_TYPE_PREFIX = 'ledger.'

/** What an own event carries that names it. The rest of its data is for whoever wrote it. */
interface OwnEvent {
  event: { id: string, type: string, created_at: string }
  source: { object: 'ledger' }
  data: { customer: { id: string } }
}

/**
 * The ledger's own events: they record what somebody decided about a customer, and state no facts. Nobody sends them;
 * they come back out of an export, and verification reads them again.
 */
export const ownEvents: EventReader = {
  name: 'ledger',
  identify,
  factsOf: () => [],
  coversFacts: (stored, received) => stored === received,
  mentionedIds: () => ({ cards: [], orders: [] }),
  differences: () => undefined,
  recompute: () => ({ why: 'An event of the ledger itself awards nothing.' }),
  redact: body => body,
  identifyingTexts: () => []
}

function identify (body: Buffer): IdentifiedDelivery | Unusable {
  const text = body.toString()
  const own = parse(text)
  if (own === undefined) return { reason: 'unidentified', detail: 'not an event as the ledger writes its own' }
  const { event, source, data: { customer } } = own
  return {
    event_id: event.id,
    subject: `customer:${customer.id}`,
    type: event.type,
    customer_id: customer.id,
    shard_key: customer.id,
    occurred_at: parseInstant(event.created_at) ?? null,
    test: false,
    send_out_id: event.id,
    sender_kind: source.object,
    sender_id: null,
    group_id: null,
    project_id: null,
    channel: null,
    fact_digest: hash('sha256', text),
    body: text
  }
}

function parse (text: string): OwnEvent | undefined {
  try {
    const { event, source, data } = JSON.parse(text) as { [Part in keyof OwnEvent]?: Partial<OwnEvent[Part]> }
    const texts = [event?.id, event?.type, event?.created_at, data?.customer?.id]
    const isOwn = texts.every(value => typeof value === 'string' && value !== '') && source?.object === 'ledger' && event?.type?.startsWith(OWN_TYPE_PREFIX) === true
    return isOwn ? { event, source, data } as OwnEvent : undefined
  } catch {
    return undefined
  }
}

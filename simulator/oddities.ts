import { written } from './clock.ts'
import { oddity, type Delivery } from './delivery.ts'
import { wrap } from './envelope.ts'
import type { ProviderEvent } from './event.ts'
import type { Json, JsonObject } from './json.ts'
import { createRandom, type Random } from './random.ts'

/** How a plain webhook is written. */
function plain (event: ProviderEvent) {
  return { route: event.routes[0] ?? 'webhook', event_id: event.id, renamed: false, extras: false, shuffled: false, pretty: false } as const
}

/** A test delivery: like a real one, with zeros in every id. */
export function testDelivery (like: ProviderEvent, looks: string): Delivery {
  return oddity({
    kind: 'test',
    type: like.type,
    route: like.routes[0] ?? 'webhook',
    text: () => zeroed(wrap(like, plain(like), createRandom(looks)))
  })
}

export const ZERO_ID = '000000000000000000'

function zeroed (text: string): string {
  return text.replace(/"([a-z]+)_[0-9A-Za-z]{18,}(:[^"]*)?"/g, `"$1_${ZERO_ID}"`)
}

const UNKNOWN = ['customer.wallet.topped_up', 'voucher.loyalty_card.frozen', 'campaign.loyalty.recalculated']

/** An event of an unknown type about a real card, with figures that are no balance. */
export function unknownDelivery (like: ProviderEvent, event_id: string, random: Random): Delivery {
  const type = random.pick(UNKNOWN)
  return oddity({
    kind: 'unknown',
    type,
    route: 'webhook',
    key: `${event_id} -`,
    event_id,
    text: () => JSON.stringify({
      id: `whs_${event_id.slice(6)}`,
      project_id: 'proj_simulated',
      created_at: written(like.at),
      type,
      data: { ...like.payload(), wallet: { points: 999_999 } },
      source: { id: 'wh_0e1f2a3b4c5d6e7f80', object: 'webhook', target_url: 'https://merchant.example/webhooks/voucherify' },
      event: { id: event_id, type, created_at: written(like.at), entity_id: like.customer_id, group_id: like.group_id, event_source: { channel: 'API' } }
    })
  })
}

/** An authentic body that cannot be used: not JSON, not an object, or without the id of an event. */
export function unusableDelivery (like: ProviderEvent, random: Random): Delivery {
  const mark = random.hex(12)
  const [reason, text] = random.pick<[reason: string, text: () => string]>([
    ['not_json', () => `not json ${mark}`],
    ['not_json', () => JSON.stringify(like.payload()).slice(0, 200 + random.integer(0, 100))],
    ['not_an_object', () => `["${mark}"]`],
    ['not_an_object', () => `"${mark}"`],
    ['unidentified', () => JSON.stringify({ hello: mark })],
    ['unidentified', () => JSON.stringify(without(wrapped(like), ['event', 'id']))],
    [idIn(like) === undefined ? 'unidentified' : 'invalid_payload', () => JSON.stringify(without(wrapped(like), idIn(like) ?? ['event', 'id']))]
  ])
  const body = text()
  return oddity({ kind: 'unusable', type: 'unusable', reason, text: () => body })
}

/** The path of the id without which an event is `invalid_payload`: an award's rule, an order's id. */
function idIn ({ type }: ProviderEvent): string[] | undefined {
  if (type === 'customer.rewarded.loyalty_points') return ['data', 'earning_rule', 'id']
  return type.startsWith('customer.order.') ? ['data', 'order', 'id'] : undefined
}

function wrapped (like: ProviderEvent): JsonObject {
  const route = like.routes.includes('webhook') ? 'webhook' : 'distribution'
  return JSON.parse(wrap(like, { ...plain(like), route }, createRandom(like.id))) as JsonObject
}

function without (json: JsonObject, [name = '', ...rest]: string[]): JsonObject {
  const { [name]: part, ...others } = json
  if (rest.length === 0) return others
  return { ...others, [name]: without(part as { [key: string]: Json | undefined }, rest) }
}

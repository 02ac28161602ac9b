import { written, type Micros } from './clock.ts'
import type { ProviderEvent, Route } from './event.ts'
import type { Json, JsonObject } from './json.ts'
import type { Random } from './random.ts'

const FREE_TEXT = ['', 'Punkte gutgeschrieben', 'loyalty event (new)', 'Nagroda dla klienta 🎁', 'order.paid']

/** How one send of an event is written, apart from its facts. */
export interface Wrapping {
  route: Route
  event_id: string
  /** The type is free text, as in a distribution that a person named. */
  renamed: boolean
  extras: boolean
  shuffled: boolean
  /** Written over several lines, with indentation. */
  pretty: boolean
}

/** The JSON of one send. `random` decides the looks only, no facts. */
export function wrap (event: ProviderEvent, wrapping: Wrapping, random: Random): string {
  const decorate = (json: JsonObject): JsonObject => {
    const more = wrapping.extras ? withExtras(json, random) : json
    return wrapping.shuffled ? rotated(more, random) as JsonObject : more
  }
  return JSON.stringify(decorate(enveloped(event, wrapping, random)), null, wrapping.pretty ? 2 : undefined)
}

function enveloped (event: ProviderEvent, wrapping: Wrapping, random: Random): JsonObject {
  const { route } = wrapping
  const payload = event.payload()
  switch (route) {
    case 'bare': return payload
    case 'v2018': return {
      id: wrapping.event_id,
      object: 'event',
      webhook_id: `wh_${random.hex(18)}`,
      project_id: 'proj_simulated',
      created_at: written(event.at),
      type: event.type,
      data: event.archived?.() ?? payload
    }
    case 'webhook': return current(event, wrapping, payload, random)
    case 'distribution': return current(event, wrapping, payload, random)
    case 'notification': return current(event, wrapping, { ...payload, publication: payload.publication ?? publication(event.at, random) }, random)
  }
}

function current (event: ProviderEvent, { route, event_id, renamed }: Wrapping, data: JsonObject, random: Random): JsonObject {
  const webhook = route === 'webhook'
  return {
    id: `whs_${random.hex(18)}`,
    project_id: 'proj_simulated',
    created_at: written(event.at + random.integer(1, 5000) * 1000),
    type: renamed ? random.pick(FREE_TEXT) : event.type,
    data,
    source: {
      id: webhook ? 'wh_0e1f2a3b4c5d6e7f80' : 'dist_0e1f2a3b4c5d6e7f81',
      object: webhook ? 'webhook' : 'distribution',
      target_url: 'https://merchant.example/webhooks/voucherify'
    },
    event: {
      id: event_id,
      type: event.type,
      created_at: written(event.at),
      entity_id: event.customer_id,
      group_id: event.group_id,
      event_source: { channel: random.pick(['API', 'USER_PORTAL', 'INTERNAL']) }
    }
  }
}

function publication (at: Micros, random: Random): JsonObject {
  return { id: `pub_${random.hex(18)}`, object: 'publication', created_at: written(at), channel: 'voucherify-distribution', metadata: {} }
}

/** Adds undocumented fields where the ledger reads none: at the top, and in objects that only describe. */
function withExtras (json: JsonObject, random: Random): JsonObject {
  const more: JsonObject = { [`x_${random.hex(4)}`]: random.pick<Json>([null, 7, 'new', { nested: [1, 2] }]) }
  const inner = Object.fromEntries(Object.entries(json).map(([name, value]) =>
    isPlain(value) && ['data', 'voucher', 'campaign', 'source', 'transaction', 'redemption'].includes(name) ? [name, withExtras(value, random)] : [name, value]))
  return { ...inner, ...more }
}

/** The same object with its keys rotated, at every depth. */
function rotated (value: Json | undefined, random: Random): Json | undefined {
  if (Array.isArray(value)) return value.map(item => rotated(item, random) ?? null)
  if (!isPlain(value)) return value
  const entries = Object.entries(value)
  const cut = entries.length === 0 ? 0 : random.integer(0, entries.length - 1)
  return Object.fromEntries([...entries.slice(cut), ...entries.slice(0, cut)].map(([name, part]) => [name, rotated(part, random)]))
}

function isPlain (value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

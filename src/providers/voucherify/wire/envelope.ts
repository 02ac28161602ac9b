import { parseInstant } from '../../../ledger/instant.ts'
import { isObject, type JsonObject } from './json.ts'

/** An opened delivery: what the v2024 and v2018 envelopes and bare data have in common. */
export interface Envelope {
  shape: 'v2024' | 'v2018' | 'bare'
  /** The event's own id. Bare data has none: `identify` derives one. */
  event_id: unknown
  /** The event's type. For v2024 it is `event.type`: the top-level `type` is free text that a person typed. */
  type: unknown
  /** When the event happened. */
  occurred_at: unknown
  data: JsonObject
  send_out_id: unknown
  sender_kind: unknown
  sender_id: unknown
  group_id: unknown
  project_id: unknown
  channel: unknown
}

/** Opens the envelope of a delivery. Checks only what distinguishes the shapes. */
export function openEnvelope (json: JsonObject): Envelope {
  if ('data' in json && json.object === 'event') return openV2018(json, isObject(json.data) ? json.data : {})
  // With data that is null or a list it is still an envelope: its event can be of a type that we do not read.
  if ('data' in json && isObject(json.event)) return openV2024(json, isObject(json.data) ? json.data : {}, json.event)
  return bare(json)
}

// Spelled out, not spread from a constant, which took a twelfth of the time of identifying a delivery.
const bare = (data: JsonObject): Envelope => ({
  shape: 'bare',
  event_id: undefined,
  type: undefined,
  occurred_at: undefined,
  data,
  send_out_id: undefined,
  // An object that we asked the API for.
  sender_kind: 'pulled' in data ? 'api' : undefined,
  sender_id: undefined,
  group_id: undefined,
  project_id: undefined,
  channel: undefined
})

function openV2024 (json: JsonObject, data: JsonObject, event: JsonObject): Envelope {
  const source = isObject(json.source) ? json.source : {}
  const eventSource = isObject(event.event_source) ? event.event_source : {}
  return {
    shape: 'v2024',
    event_id: event.id,
    type: spelledRight(event.type),
    // Not the send-out's own time: two sends of one event would state two times.
    occurred_at: event.created_at,
    data,
    send_out_id: json.id,
    sender_kind: source.object,
    sender_id: source.id,
    group_id: event.group_id,
    project_id: json.project_id,
    channel: eventSource.channel
  }
}

/** The provider's own lists misspell some types; whichever spelling it sends is the same type. */
function spelledRight (type: unknown): unknown {
  if (typeof type !== 'string') return type
  if (type.endsWith('aded')) return type.replace(/(?<=[._])aded$/, 'added')
  return type.endsWith('.succceeded') ? type.replace(/\.succceeded$/, '.succeeded') : type
}

// Retired, but replayed from archives: `id` is the event's, `webhook_id` the send-out's, and `data` holds the object
// itself and a related one. Each gets its own name, as in the newer shape.
function openV2018 (json: JsonObject, data: JsonObject): Envelope {
  const notified = notificationOf(data)
  const parts = [data.related_object, data.object].filter(isObject)
  const named = Object.fromEntries(parts.flatMap(part => typeof part.object === 'string' ? [[part.object, part]] : []))
  return {
    shape: 'v2018',
    event_id: json.id,
    type: spelledRight(notified?.type ?? json.type),
    // The notification's own time is later.
    occurred_at: [notified?.occurred_at, json.created_at].find(time => typeof time === 'string' && parseInstant(time) !== undefined) ?? json.created_at,
    data: notified?.data ?? (isObject(data.object) && typeof data.object.object === 'string' ? named : data),
    send_out_id: json.webhook_id,
    sender_kind: 'webhook',
    sender_id: undefined,
    group_id: undefined,
    project_id: json.project_id,
    channel: undefined
  }
}

/**
 * A notification of a loyalty campaign: the event that it is about is the related object, and the top-level type is the
 * notification's own (`points_earned`). The event's data are the related object's `data`, as in the newer shape; or the
 * notification's own object, with the balance that stands in the related object's `data_json`.
 */
function notificationOf ({ object, related_object: event }: JsonObject): { type: string, occurred_at: unknown, data: JsonObject } | undefined {
  if (!isObject(event) || typeof event.type !== 'string') return undefined
  const { type, created_at: occurred_at } = event
  if (isObject(event.data)) return { type, occurred_at, data: event.data }
  if (!isObject(event.data_json)) return undefined
  const { balance, related_object } = event.data_json
  return { type, occurred_at, data: { ...(isObject(object) ? object : {}), balance: [balance, related_object].find(isObject) } }
}

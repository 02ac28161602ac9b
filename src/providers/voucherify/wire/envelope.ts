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
    type: event.type,
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

// Retired, but replayed from archives: `id` is the event's, `webhook_id` the send-out's, and `data` holds the object
// itself and a related one. Each gets its own name, as in the newer shape.
function openV2018 (json: JsonObject, data: JsonObject): Envelope {
  const parts = [data.related_object, data.object].filter(isObject)
  const named = Object.fromEntries(parts.flatMap(part => typeof part.object === 'string' ? [[part.object, part]] : []))
  return {
    shape: 'v2018',
    event_id: json.id,
    type: json.type,
    occurred_at: json.created_at,
    data: isObject(data.object) && typeof data.object.object === 'string' ? named : data,
    send_out_id: json.webhook_id,
    sender_kind: 'webhook',
    sender_id: undefined,
    group_id: undefined,
    project_id: json.project_id,
    channel: undefined
  }
}

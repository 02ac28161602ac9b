// The two real payloads, and the wrappings in which they and others can arrive (provider facts §1).
import { readFileSync } from 'node:fs'
import type { Fact } from '../../../src/ledger/facts.ts'
import type { IdentifiedDelivery, Unusable } from '../../../src/providers/provider.ts'
import { identify } from '../../../src/providers/voucherify/identify.ts'
import { isObject, type Json, type JsonObject } from '../../../src/providers/voucherify/wire/json.ts'

function sample (name: string): string {
  return readFileSync(new URL(import.meta.resolve(`#root/samples/${name}.json`)), 'utf8')
}

export const AWARD = 'customer.rewarded.loyalty_points'
export const PAID = 'customer.order.paid'
export const texts = { award: sample(AWARD), order: sample(PAID) }

/** Fresh copies, to be changed at will. */
export function award (): JsonObject { return JSON.parse(texts.award) as JsonObject }
export function order (): JsonObject { return JSON.parse(texts.order) as JsonObject }

/** What the wrapping says; a member given as undefined is left out. */
export interface Wrapped { event_id?: Json, type?: Json, created_at?: Json }

function event (wrapped: Wrapped): JsonObject {
  return {
    id: 'evcus_0f1',
    type: PAID,
    created_at: '2024-03-11T13:20:40.123456Z',
    entity_id: 'cust_1',
    group_id: 'v-0f1',
    event_source: { channel: 'API', api_key: { name: 'a', app_id: 'b' } },
    ...(wrapped.event_id === undefined ? {} : { id: wrapped.event_id }),
    ...(wrapped.type === undefined ? {} : { type: wrapped.type }),
    ...('created_at' in wrapped ? { created_at: wrapped.created_at } : {})
  }
}

export function projectWebhook (data: Json, wrapped: Wrapped = {}): JsonObject {
  const observed = event(wrapped)
  return {
    id: 'whs_1',
    project_id: 'proj_1',
    created_at: '2024-03-11T13:20:41.000Z',
    type: observed.type,
    data,
    source: { id: 'wh_1', object: 'webhook', target_url: 'https://shop.example/hook' },
    event: observed
  }
}

/** A distribution's top-level type is what somebody typed in a dashboard. */
export function distribution (data: Json, wrapped: Wrapped = {}, freeText = 'Tell the shop!'): JsonObject {
  return {
    event: event(wrapped),
    source: { target_url: 'https://shop.example/other', object: 'distribution', id: 'ds_1', name: 'Orders' },
    data,
    type: freeText,
    created_at: '2024-03-11T13:20:47.000Z',
    project_id: 'proj_1',
    id: 'whs_2'
  }
}

export function campaignNotification (data: JsonObject, wrapped: Wrapped = {}): JsonObject {
  return distribution({ ...data, publication: { id: 'pub_1', object: 'publication', channel: 'webhook' } }, wrapped, '')
}

/** The retired envelope, in both forms of its data: the object with a related one, or named as today. */
export function v2018 (data: Json, wrapped: Wrapped = {}): JsonObject {
  const { id, type, created_at } = event(wrapped)
  return { id, object: 'event', project_id: 'proj_1', webhook_id: 'wh_old', type, created_at, data }
}

export function archivedOrder (data: JsonObject): JsonObject {
  return { object: data.order, related_object: data.customer }
}

export function identifyJson (body: unknown): IdentifiedDelivery | Unusable {
  return identify(Buffer.from(JSON.stringify(body)))
}

/** @throws when the delivery cannot be identified */
export function identified (body: unknown): IdentifiedDelivery {
  const result = typeof body === 'string' ? identify(Buffer.from(body)) : identifyJson(body)
  if ('reason' in result) throw new Error(`${result.reason}: ${result.detail}`)
  return result
}

/** A fact with all its members as its own: those of an order's state that are made when they are asked for are not. */
export function plain (fact: Fact): Fact {
  if (fact.fact !== 'order') return fact
  const { items, metadata, state_digest } = fact
  return { ...fact, items, metadata, state_digest }
}

/** Sets the member at a path, making nothing. */
export function set<T extends Json> (json: T, path: ReadonlyArray<string | number>, value: Json | undefined): T {
  let at: Json | undefined = json
  for (const key of path.slice(0, -1)) at = (at as JsonObject)[key]
  const last = path.at(-1) ?? ''
  if (value === undefined && isObject(at)) Reflect.deleteProperty(at, last)
  else Object.defineProperty(at, last, { value: value ?? null, enumerable: true, configurable: true, writable: true })
  return json
}

/** Every path to a leaf or a subtree, the root left out. */
export function pathsOf (json: Json | undefined, prefix: ReadonlyArray<string | number> = []): Array<Array<string | number>> {
  if (typeof json !== 'object' || json === null) return []
  const entries: Array<[string | number, Json | undefined]> = Array.isArray(json) ? [...json.entries()] : Object.entries(json)
  return entries.flatMap(([key, part]) => [[...prefix, key], ...pathsOf(part, [...prefix, key])])
}

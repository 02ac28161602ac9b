import type { Micros } from './clock.ts'
import type { Fact } from './facts.ts'

export type Json = null | boolean | number | string | Json[] | JsonObject
export interface JsonObject { [key: string]: Json | undefined }

/** Ways in which one event can be sent. */
export type Route = 'webhook' | 'distribution' | 'notification' | 'bare' | 'v2018'

/** What all events of one API request share, and one of them has for itself. */
export interface Stamp { id: string, at: Micros, group_id: string }

/** An event at the provider, from which any number of deliveries can be made. */
export interface ProviderEvent extends Stamp {
  type: string
  customer_id: string
  /** What it is about: with the event's id this tells events apart. */
  subject: string
  routes: readonly Route[]
  /** The event id that bare data comes to; absent where bare data does not say which event it is. */
  bare_id?: string
  /** The payload, made when it is sent: a long history would not fit into memory otherwise. */
  payload: () => JsonObject
  /** The payload as `object` and `related_object` of the old envelope, where it had that shape. */
  archived?: () => JsonObject
  /** The event's id in the old version, where that tells too little to be the same event; absent: the same id. */
  archived_id?: string
  /** Its name says another thing than its fields. */
  misnamed?: true
  /** What it tells by a route: bare data lacks the event's own time, and the old envelope has room for two objects. */
  facts: (route: Route) => Fact[]
  /** The movement it tells, if any: what is dropped together. */
  movement_id?: string
  /** Ways to tell the same event falsely: equal key, other facts. */
  contradictions?: ReadonlyArray<() => ProviderEvent>
}

export const PROJECT: readonly Route[] = ['webhook']
export const PROJECT_ARCHIVED: readonly Route[] = ['webhook', 'v2018']
export const DISTRIBUTED: readonly Route[] = ['distribution', 'notification', 'bare']
export const DISTRIBUTED_WRAPPED: readonly Route[] = ['distribution', 'notification']
export const BOTH: readonly Route[] = ['webhook', 'distribution', 'notification', 'bare']

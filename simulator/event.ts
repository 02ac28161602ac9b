import type { Micros } from './clock.ts'
import type { Fact } from './facts.ts'
import type { JsonObject } from './json.ts'

/** How one event can be sent: in which envelope, or bare, without one. */
export type Route = 'webhook' | 'distribution' | 'notification' | 'bare' | 'v2018'

/** Id and time of one event, and the group id that all events of one API request share. */
export interface Stamp { id: string, at: Micros, group_id: string }

/** An event at the provider, from which any number of deliveries can be made. */
export interface ProviderEvent extends Stamp {
  type: string
  customer_id: string
  /** What the event is about. Id and subject together identify an event. */
  subject: string
  routes: readonly Route[]
  /** The event id that the ledger derives from bare data; absent if bare data does not identify the event. */
  bare_id?: string
  /** Makes the payload when it is sent: the payloads of a long history would not fit into memory. */
  payload: () => JsonObject
  /** The payload as `object` and `related_object` of the v2018 envelope, if it had that shape. */
  archived?: () => JsonObject
  /** The id in v2018, if that version states too little to be the same event; absent: the same id. */
  archived_id?: string
  /** The event's name disagrees with its fields. */
  misnamed?: true
  /** The facts it states on a route: bare data lacks the event's time, and the v2018 envelope holds two objects. */
  facts: (route: Route) => Fact[]
  /** The movement it states, if any. All events of one movement are dropped together. */
  movement_id?: string
  /** Versions of the event with the same key and other facts. */
  contradictions?: ReadonlyArray<() => ProviderEvent>
}

export const PROJECT: readonly Route[] = ['webhook']
export const PROJECT_ARCHIVED: readonly Route[] = ['webhook', 'v2018']
export const DISTRIBUTED: readonly Route[] = ['distribution', 'notification', 'bare']
export const DISTRIBUTED_WRAPPED: readonly Route[] = ['distribution', 'notification']
export const BOTH: readonly Route[] = ['webhook', 'distribution', 'notification', 'bare']

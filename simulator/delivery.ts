import { sign } from '../src/providers/voucherify/wire/signature.ts'
import { wrap, type Wrapping } from './envelope.ts'
import type { ProviderEvent, Route } from './event.ts'
import type { Fact } from './facts.ts'
import { createRandom } from './random.ts'

/**
 * What a delivery is to the ledger: an event, an event with other facts than the stored one, a test delivery, an event
 * of an unknown type, a body that cannot be used, or one with a wrong signature.
 */
type DeliveryKind = 'event' | 'conflict' | 'test' | 'unknown' | 'unusable' | 'forged'

/** How a send misbehaves or varies; read by tests of coverage. */
export type Trait = 'duplicate' | 'late' | 'renamed' | 'extras' | 'shuffled' | 'pretty' | 'misnamed'

/** One POST. The body is made on demand, and is the same each time. */
export interface Delivery {
  readonly kind: DeliveryKind
  readonly type: string
  readonly route: Route | undefined
  readonly traits: readonly Trait[]
  /** Deliveries with the same key carry the same event. Undefined if that cannot be said. */
  readonly key: string | undefined
  /** The envelope's event id; undefined without an envelope. */
  readonly event_id: string | undefined
  /** The reason of quarantine; undefined if it is not quarantined. */
  readonly reason: string | undefined
  readonly body: Buffer
  /** The facts it states if it is stored. */
  readonly facts: readonly Fact[]
  /** The signature header, with the secret or, if forged, with another one. */
  signature: (secret: string) => string
}

/** One send of an event. */
export interface Send {
  event: ProviderEvent
  wrapping: Wrapping
  /** The seed of its looks: equal seeds give equal bytes. */
  looks: string
  kind: 'event' | 'conflict' | 'forged'
  traits: readonly Trait[]
}

export function deliver ({ event, wrapping, looks, kind, traits }: Send): Delivery {
  const { route, event_id } = wrapping
  const bare = route === 'bare'
  const body = (): Buffer => Buffer.from(wrap(event, wrapping, createRandom(looks)))
  const effective_id = (bare ? event.bare_id : undefined) ?? event_id
  const key = `${effective_id} ${event.subject}`
  return {
    kind,
    type: event.type,
    route,
    traits,
    key: kind === 'forged' ? undefined : key,
    event_id: bare ? undefined : event_id,
    reason: kind === 'conflict' ? 'conflict' : undefined,
    get body () { return body() },
    get facts () {
      if (kind === 'forged') return []
      return event.facts(route).map(fact => fact.fact === 'movement' || fact.fact === 'snapshot' ? { ...fact, observed_in: { key, event_id: effective_id } } : fact)
    },
    // The provider signs the JSON without insignificant whitespace.
    signature: secret => kind === 'forged' ? sign(body(), `${secret}-not`) : sign(wrapping.pretty ? compacted(body()) : body(), secret)
  }
}

/** A delivery without facts. */
export function oddity (
  odd: { kind: 'test' | 'unknown' | 'unusable', type: string, key?: string, event_id?: string, reason?: string, text: () => string, route?: Route }
): Delivery {
  return {
    kind: odd.kind,
    type: odd.type,
    route: odd.route,
    traits: [],
    key: odd.key,
    event_id: odd.event_id,
    reason: odd.reason,
    get body () { return Buffer.from(odd.text()) },
    facts: [],
    signature: secret => sign(odd.text(), secret)
  }
}

function compacted (body: Buffer): string {
  return JSON.stringify(JSON.parse(body.toString()))
}

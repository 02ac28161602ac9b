import { sign } from '../src/providers/voucherify/wire/signature.ts'
import { wrap, type Wrapping } from './envelope.ts'
import type { ProviderEvent, Route } from './event.ts'
import type { Fact } from './facts.ts'
import { createRandom } from './random.ts'

/**
 * What a delivery is to the ledger: an event told truly, an event told with other facts than before, a test delivery, a type
 * nobody knows, a body that cannot be used, or one whose signature is not the provider's.
 */
type DeliveryKind = 'event' | 'conflict' | 'test' | 'unknown' | 'unusable' | 'forged'

/** How a send misbehaves or varies; for tests of coverage, and for people. */
export type Trait = 'duplicate' | 'late' | 'renamed' | 'extras' | 'shuffled' | 'pretty' | 'misnamed'

/** One POST. The body is made when it is asked for and is the same each time. */
export interface Delivery {
  readonly kind: DeliveryKind
  readonly type: string
  readonly route: Route | undefined
  readonly traits: readonly Trait[]
  /** Deliveries of one key carry one event. Undefined where that cannot be said. */
  readonly key: string | undefined
  /** The envelope's event id; undefined without an envelope. */
  readonly event_id: string | undefined
  /** Why the ledger sets it aside; undefined where it does not. */
  readonly reason: string | undefined
  readonly body: Buffer
  /** What it tells if it is stored. */
  readonly facts: readonly Fact[]
  /** For the signature header: under the secret, or a wrong one. */
  signature: (secret: string) => string
}

/** One send of an event, and its looks. */
export interface Send {
  event: ProviderEvent
  wrapping: Wrapping
  /** Seeds what is drawn for looks only; equal for equal bytes. */
  looks: string
  kind: 'event' | 'conflict' | 'forged'
  traits: readonly Trait[]
}

export function deliver ({ event, wrapping, looks, kind, traits }: Send): Delivery {
  const { route, event_id } = wrapping
  const bare = route === 'bare'
  const body = (): Buffer => Buffer.from(wrap(event, wrapping, createRandom(looks)))
  const told_as = (bare ? event.bare_id : undefined) ?? event_id
  const key = `${told_as} ${event.subject}`
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
      return event.facts(route).map(fact => fact.fact === 'movement' ? { ...fact, observed_in: { key, event_id: told_as } } : fact)
    },
    // The provider signs the text without insignificant whitespace.
    signature: secret => kind === 'forged' ? sign(body(), `${secret}-not`) : sign(wrapping.pretty ? compacted(body()) : body(), secret)
  }
}

/** A delivery that tells nothing. */
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

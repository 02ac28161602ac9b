import type { MentionedIds } from '../providers/provider.ts'
import type { Providers } from '../providers/index.ts'
import { asOfStorage } from '../ledger/clock.ts'
import { attachSnapshots } from '../ledger/snapshots.ts'
import type { StoredEvent } from '../log/read.sql.ts'
import { entityOf, type Observed, type Projection } from './projection.ts'

/** A stored event with the facts it states, or with why this version of the code cannot read it. Without its body. */
export interface DecodedEvent {
  event: Pick<StoredEvent, 'event_id' | 'subject' | 'position'>
  observed: Observed[]
  unreadable?: Unreadable
}

/** Why an event cannot be read, and the cards and orders that it may be about all the same. */
export interface Unreadable { error: Error, mentioned: MentionedIds }

/** The events of a provider that this version of the code does not have. */
export class UnknownProvider extends Error {
  override name = 'UnknownProvider'
}

/** Reads what an event states, by the reader of the provider that sent it. A test delivery states nothing. */
export function decodeEvent ({ provider, event_id, subject, position, recorded_at, fact_digest, test, body }: StoredEvent, providers: Providers): DecodedEvent {
  const event = { event_id, subject, position }
  if (test) return { event, observed: [] }
  const reader = providers.readerNamed(provider)
  // Its cards and orders are its own, by their prefix: no event that can be read is about them.
  if (reader === undefined) return { event, observed: [], unreadable: { error: unknownProvider(provider), mentioned: { cards: [], orders: [] } } }
  try {
    return { event, observed: attachSnapshots(reader.factsOf(body)).map(fact => ({ fact: asOfStorage(fact, recorded_at), event_id, subject, recorded_at, fact_digest })) }
  } catch (error) {
    return { event, observed: [], unreadable: { error: error as Error, mentioned: reader.mentionedIds(body) } }
  }
}

function unknownProvider (name: string): UnknownProvider {
  return new UnknownProvider(`this version has no reader for events of the provider ${JSON.stringify(name)}; a version that has one will project them`)
}

/** A fact at its place in the shard. */
export interface Placed { observed: Observed, position: bigint }

/** The facts of events that a projection folds, in order. */
export function factsFor (projection: Projection, events: readonly DecodedEvent[]): Placed[] {
  const placed: Placed[] = []
  for (const { event: { position }, observed } of events) {
    for (const one of observed) if (entityOf(one.fact) === projection.entity) placed.push({ observed: one, position })
  }
  return placed
}

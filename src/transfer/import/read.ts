import { identifySafely, identifySent, type Refusal } from '../../ingest/store-delivery.ts'
import type { Exported } from '../export/format.ts'
import type { MovementObservation } from '../../ledger/facts.ts'
import { parseInstant, type Instant } from '../../ledger/instant.ts'
import type { EventReader, IdentifiedDelivery } from '../../providers/provider.ts'
import type { Providers } from '../../providers/index.ts'
import type { Entry } from './entry.ts'

/** An entry of a file, read without asking the database. `provider`: whose reader named it. */
export type ReadEntry =
  | { as: 'bad', line: number, reason: string }
  | { as: 'warning', line: number, warning: string }
  /** A row that moves no points. `kind`: what the entry is, in the plural, for people; so below. */
  | { as: 'pointless', line: number, kind: string }
  /** A row that does not say which movement it is. */
  | { as: 'unmatched', line: number, body: Buffer, provider: EventReader } & Refusal
  | { as: 'row', line: number, kind: string, body: Buffer, provider: EventReader, identified: IdentifiedDelivery, movement: MovementObservation, to_the_second: boolean }
  /** `unknown_type`: of a type of row that this version does not know. */
  | { as: 'delivery', line: number, kind: string, body: Buffer, provider: EventReader, identified: IdentifiedDelivery, unknown_type?: boolean }
  /** An event out of an export of a ledger, with the time at which that stored it first. */
  | { as: 'event', line: number, kind: string, body: Buffer, provider: EventReader, identified: IdentifiedDelivery & { recorded_at: Instant } }

export function readEntry (entry: Entry, providers: Providers): ReadEntry {
  const { line } = entry
  if ('bad' in entry) return { as: 'bad', line, reason: entry.bad }
  if ('warning' in entry) return { as: 'warning', line, warning: entry.warning }
  if (entry.exported !== undefined) return readExported(line, entry.body, entry.exported, providers)
  const { body, provider = providers.first, to_the_second = false } = entry
  const identified = identifySent(body, provider)
  if ('reason' in identified) return 'unmatched' in identified ? { as: 'unmatched', line, body, provider, ...identified } : badDelivery(line, identified)
  const kind = provider.files?.kinds.get(identified.type)
  if (kind === undefined) return { as: 'delivery', line, kind: 'deliveries', body, provider, identified }
  const facts = provider.factsOf(identified.body)
  if (facts.length === 0) return { as: 'pointless', line, kind }
  const movement = facts.find(fact => fact.fact === 'movement')
  if (movement !== undefined) return { as: 'row', line, kind, body, provider, identified, movement, to_the_second }
  return { as: 'delivery', line, kind, body, provider, identified, unknown_type: provider.files?.movement_types.has(identified.type) === true }
}

function readExported (line: number, body: Buffer, exported: Exported, providers: Providers): ReadEntry {
  const provider = providers.readerNamed(exported.provider)
  if (provider === undefined) return { as: 'bad', line, reason: `this version has no reader for events of the provider ${JSON.stringify(exported.provider)}` }
  const identified = identifySafely(body, provider)
  return 'reason' in identified ? badDelivery(line, identified) : restored(line, provider, identified, exported, body)
}

function badDelivery (line: number, { reason, detail }: Refusal): ReadEntry {
  return { as: 'bad', line, reason: `${reason}: ${detail}` }
}

/** What the file says about an event is compared, never trusted: only the body names it. */
function restored (line: number, provider: EventReader, identified: IdentifiedDelivery, { event_id, subject, recorded_at: said }: Exported, body: Buffer): ReadEntry {
  if (event_id !== identified.event_id || subject !== identified.subject) {
    return { as: 'bad', line, reason: `the body is event ${identified.event_id} about ${identified.subject}, and the line says ${event_id} about ${subject}` }
  }
  const recorded_at = parseInstant(said)
  if (recorded_at === undefined) return { as: 'bad', line, reason: `recorded_at: ${said} is no time` }
  return { as: 'event', line, kind: 'events of a ledger', body, provider, identified: { ...identified, recorded_at } }
}

import { identifySafely, identifySent } from '../../ingest/store-delivery.ts'
import type { Exported } from '../export/format.ts'
import type { MovementObservation } from '../../ledger/facts.ts'
import { parseInstant, type Instant } from '../../ledger/instant.ts'
import { factsOf, type IdentifiedDelivery } from '../../providers/voucherify/identify.ts'
import { EXPORTED_TYPE } from '../../providers/voucherify/families/exported.ts'
import type { Entry } from './entry.ts'

/** A decoded entry of a file, before any look-up in the database. */
export type ReadEntry =
  | { as: 'bad', line: number, reason: string }
  /** A row that moves no points. */
  | { as: 'pointless', line: number }
  | { as: 'row', line: number, body: Buffer, identified: IdentifiedDelivery, movement: MovementObservation, to_the_second: boolean }
  | { as: 'delivery', line: number, body: Buffer, identified: IdentifiedDelivery }
  /** An event out of an export of a ledger, with the time at which that ledger first stored it. */
  | { as: 'event', line: number, body: Buffer, identified: IdentifiedDelivery & { recorded_at: Instant } }

export function readEntry (entry: Entry): ReadEntry {
  const { line } = entry
  if ('bad' in entry) return { as: 'bad', line, reason: entry.bad }
  const { body, to_the_second = false, exported } = entry
  const identified = exported === undefined ? identifySent(body) : identifySafely(body)
  if ('reason' in identified) return { as: 'bad', line, reason: `${identified.reason}: ${identified.detail}` }
  if (exported !== undefined) return restored(line, identified, exported, body)
  if (identified.type !== EXPORTED_TYPE) return { as: 'delivery', line, body, identified }
  const movement = factsOf(identified.body).find(fact => fact.fact === 'movement')
  return movement === undefined ? { as: 'pointless', line } : { as: 'row', line, body, identified, movement, to_the_second }
}

/** The file's own key of an event is compared, never trusted: the body alone names the event. */
function restored (line: number, identified: IdentifiedDelivery, { event_id, subject, recorded_at: said }: Exported, body: Buffer): ReadEntry {
  if (event_id !== identified.event_id || subject !== identified.subject) {
    return { as: 'bad', line, reason: `the body is event ${identified.event_id} about ${identified.subject}, and the line says ${event_id} about ${subject}` }
  }
  const recorded_at = parseInstant(said)
  if (recorded_at === undefined) return { as: 'bad', line, reason: `recorded_at: ${said} is no time` }
  return { as: 'event', line, body, identified: { ...identified, recorded_at } }
}

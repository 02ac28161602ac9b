import { identifySafely } from '../intake/settle.ts'
import type { MovementSighting } from '../ledger/facts.ts'
import { factsOf, type IdentifiedDelivery } from '../provider/voucherify/delivery.ts'
import { EXPORTED_TYPE } from '../provider/voucherify/families/exported.ts'
import type { Entry } from './entry.ts'

/** An entry of a file, as far as it can be told without asking the database. */
export type ReadEntry =
  | { as: 'bad', line: number, reason: string }
  /** A row that moves no points. */
  | { as: 'pointless', line: number }
  | { as: 'row', line: number, body: Buffer, identified: IdentifiedDelivery, movement: MovementSighting, to_the_second: boolean }
  | { as: 'delivery', line: number, body: Buffer, identified: IdentifiedDelivery }

export function readEntry (entry: Entry): ReadEntry {
  const { line } = entry
  if ('bad' in entry) return { as: 'bad', line, reason: entry.bad }
  const { body, to_the_second = false } = entry
  const identified = identifySafely(body)
  if ('reason' in identified) return { as: 'bad', line, reason: `${identified.reason}: ${identified.detail}` }
  if (identified.type !== EXPORTED_TYPE) return { as: 'delivery', line, body, identified }
  const movement = factsOf(identified.body).find(fact => fact.fact === 'movement')
  return movement === undefined ? { as: 'pointless', line } : { as: 'row', line, body, identified, movement, to_the_second }
}

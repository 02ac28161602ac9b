import type { AsOf } from '../ledger/as-of.ts'
import { currentMark, type LineMark } from '../projections/cards/reads.sql.ts'
import type { Trx } from '../postgres/database.ts'
import { listLinesBefore } from './lines.sql.ts'
import type { StatementLineRow } from '../postgres/tables.ts'
import { cardsHeldAt } from './holders.ts'
import { refoldTails } from './refolded-tail.ts'

/**
 * A page of the statement over some cards as of a past time, newest first: refolded lines, then the live ones that were
 * already known.
 */
export async function linesAt (
  trx: Trx, card_ids: readonly string[], asOf: AsOf, page: { before?: LineMark | undefined, limit: number }
): Promise<StatementLineRow[]> {
  const past = await refoldTails(trx, card_ids, asOf)
  const refolded = [...past.values()].flatMap(({ cut, tail }) => tail?.lines.map(line => ({ ...line, card_id: cut.card_id })) ?? [])
  const before = page.before === undefined ? undefined : await markAmong(trx, page.before, refolded)
  const live = await listLinesBefore(trx, [...past.values()].map(({ cut }) => cut), { before, limit: page.limit })
  const older = before === undefined ? refolded : refolded.filter(line => compareLines(line, before) < 0)
  return [...older, ...live].sort((a, b) => compareLines(b, a)).slice(0, page.limit)
}

/** A page of the statement over the cards that a customer held then. */
export async function customerLinesAt (trx: Trx, customer_id: string, asOf: AsOf, page: { before?: LineMark | undefined, limit: number }): Promise<StatementLineRow[]> {
  const cards = await cardsHeldAt(trx, customer_id, asOf)
  return await linesAt(trx, cards.map(({ card_id }) => card_id), asOf, page)
}

/**
 * The last line of the page before, with the ordinal it has now: events of the same moment that arrived since can have
 * moved it.
 */
async function markAmong (trx: Trx, mark: LineMark, refolded: readonly StatementLineRow[]): Promise<LineMark> {
  const line = refolded.find(({ movement_id, card_id, occurred_at }) =>
    movement_id === mark.movement_id && card_id === mark.card_id && occurred_at === mark.occurred_at)
  return line === undefined ? await currentMark(trx, mark) : { ...mark, ordinal: line.ordinal }
}

type LinePlace = Pick<StatementLineRow, 'occurred_at' | 'card_id' | 'ordinal'> | LineMark

// Ids in the order of their bytes, as the database compares them: code units differ from it beyond U+FFFF.
function compareLines (a: LinePlace, b: LinePlace): number {
  if (a.occurred_at !== b.occurred_at) return a.occurred_at < b.occurred_at ? -1 : 1
  return Buffer.compare(Buffer.from(a.card_id), Buffer.from(b.card_id)) || a.ordinal - b.ordinal
}

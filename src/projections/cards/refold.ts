import { fitsNearby, foldCard, isJoined, movementOf, type Folded } from '../../ledger/card.ts'
import { groupBy } from '../../ledger/group-by.ts'
import { later, type Instant } from '../../ledger/instant.ts'
import { mergeObservations, type Movement } from '../../ledger/movements.ts'
import type { BalanceSnapshot } from '../../ledger/snapshots.ts'
import { runningTotalsOf, storedTotals, withoutTail, withStretch } from '../../ledger/totals.ts'
import type { Trx } from '../../postgres/database.ts'
import type { CardRow, StatementLineRow } from '../../postgres/tables.ts'
import { readOpenings } from './observations.sql.ts'
import { findFormerLines, findTailStarts, FIRST, LAST, readEnds, readTails, type ChangeOnCard, type NewTail, type StatementEnd, type Tail } from './tails.sql.ts'

/** What changed on a card: movements that are new or differ from before, and snapshots that nobody had shown before. */
export interface CardChange {
  row: CardRow
  added: readonly Movement[]
  /** Movements that may have a line already. */
  changed: readonly Movement[]
  snapshots: readonly BalanceSnapshot[]
}

/** A card after a step: its row and, if a line changed, the new tail of its statement. */
export interface Refolded { row: CardRow, tail?: NewTail }

/**
 * Folds cards again from the earliest time on that their changes can reach. What joins up at the end of a statement,
 * as nearly everything does, needs no more of the statement than its last lines.
 */
export async function refoldCards (trx: Trx, changes: readonly CardChange[]): Promise<Refolded[]> {
  const ends = await readEnds(trx, changes.filter(isAddition).map(change => ({ card_id: change.row.card_id, from: earliest(change.added) })))
  const refolded = new Map<string, Refolded>()
  for (const change of changes) {
    const end = ends.get(change.row.card_id)
    const appended = end === undefined ? undefined : append(change, end)
    if (appended !== undefined) refolded.set(change.row.card_id, appended)
  }
  const others = changes.filter(({ row }) => !refolded.has(row.card_id))
  for (const one of await refoldTails(trx, others)) refolded.set(one.row.card_id, one)
  return changes.map(({ row }) => refolded.get(row.card_id) ?? { row })
}

function isAddition ({ added, changed }: CardChange): boolean {
  return changed.length === 0 && added.every(({ kind }) => kind !== 'opening')
}

function earliest (movements: readonly Movement[]): Instant {
  return movements.reduce((least, { occurred_at }) => occurred_at < least ? occurred_at : least, LAST)
}

/**
 * Adds new lines behind the last one. @returns undefined unless that is certainly what the fold of the whole history
 * gives: everything is later than the last line, all balances join up, and so do those around it
 */
function append ({ row, added, snapshots }: CardChange, { lines, unsettled, later_snapshots }: StatementEnd): Refolded | undefined {
  const last = lines.at(-1)
  const from = earliest(added)
  const stored = later_snapshots > BigInt(snapshots.filter(({ occurred_at }) => occurred_at >= from).length)
  if (unsettled || stored || (last !== undefined && last.occurred_at >= from)) return undefined
  if (last === undefined) {
    // With a snapshot that was stored before, the card has an opening balance.
    if (row.balance_stated_at !== null) return undefined
    return withTail(row, { from: FIRST, lines: [], balance_before: null, joined: null, earlier: [], snapshots: [] }, foldCard(added, null, { snapshots }))
  }
  const states = snapshots.length > 0 || added.some(({ reported_balance }) => reported_balance !== null)
  if (states && row.balance_stated_at === null) return undefined
  // Snapshots that made a line do not count for the order.
  if (row.balance_stated_at !== null && !isJoined(lines)) return undefined
  const folded = foldCard(added, last.balance)
  if (!folded.even) return undefined
  if (!snapshots.every(snapshot => fitsLines(snapshot, lines, folded))) return undefined
  const newest = snapshots.reduce((at, { occurred_at }) => later(at, occurred_at), folded.balance_stated_at)
  const balance_stated_at = later(row.balance_stated_at, newest)
  return withTail(row, { from, lines: [], balance_before: last.balance, joined: last.balance, earlier: [], snapshots: [] }, { ...folded, balance_stated_at })
}

/** True if a snapshot agrees with the last lines and the new ones; false also if it is as of an earlier time. */
function fitsLines (snapshot: BalanceSnapshot, last: readonly StatementLineRow[], { lines: added }: Folded): boolean {
  const lines = [...last, ...added.map(line => ({ ...line, card_id: snapshot.card_id }))]
  const index = lines.findLastIndex(({ occurred_at }) => occurred_at <= snapshot.occurred_at)
  const before = lines[index]
  if (before === undefined) return false
  // Another snapshot of that time made a line; which of them counts is for the fold to say.
  if (before.kind === 'unexplained' && before.occurred_at === snapshot.occurred_at) return false
  if (before.balance === snapshot.balance) return true
  // Of lines further back nothing is known here.
  const ahead = lines.slice(index + 1).filter(({ kind }) => kind !== 'unexplained')
  return fitsNearby(snapshot, lines.slice(0, index + 1), ahead, 0)
}

async function refoldTails (trx: Trx, changes: readonly CardChange[]): Promise<Refolded[]> {
  if (changes.length === 0) return []
  const tails = await readTails(trx, await startsOf(trx, changes))
  const openings = await openingsOf(trx, tails)
  return changes.map(change => refoldTail(change, tails.get(change.row.card_id) as Tail, openings.get(change.row.card_id)))
}

async function startsOf (trx: Trx, changes: readonly CardChange[]): Promise<Map<string, Instant>> {
  const former = await findFormerLines(trx, changes.flatMap(({ changed }) => changed))
  const starts = new Map<string, Instant>()
  const changed: ChangeOnCard[] = []
  for (const { row: { card_id }, ...change } of changes) {
    const movements = [...change.added, ...change.changed]
    // An opening counts from the first line on, whenever the card was made.
    if (movements.some(({ kind }) => kind === 'opening')) starts.set(card_id, FIRST)
    else {
      const times = [earliest(movements), former.get(card_id) ?? LAST, ...change.snapshots.map(({ occurred_at }) => occurred_at)]
      changed.push({ card_id, at: times.reduce((least, time) => time < least ? time : least) })
    }
  }
  for (const [card_id, start] of await findTailStarts(trx, changed)) starts.set(card_id, start)
  return starts
}

/**
 * The opening movements of the cards that are folded from their first line on. An opening may have no line of its own:
 * it has none while a movement with an earlier date is known.
 */
async function openingsOf (trx: Trx, tails: ReadonlyMap<string, Tail>): Promise<Map<string, Movement>> {
  const fromFirst = [...tails].filter(([, { balance_before }]) => balance_before === null).map(([card_id]) => card_id)
  if (fromFirst.length === 0) return new Map()
  const merged = [...groupBy(await readOpenings(trx, fromFirst), ({ card_id }) => card_id).values()].map(mergeObservations)
  return new Map(merged.filter(movement => movement !== undefined).map(movement => [movement.card_id, movement]))
}

/** Earlier lines stay valid, since the fold of a tail depends on no more than the balance and the lines before it. */
function refoldTail ({ row, added, changed }: CardChange, tail: Tail, opening: Movement | undefined): Refolded {
  const known = new Map(tail.lines.map(movementOf).filter(movement => movement !== undefined).map(movement => [movement.movement_id, movement]))
  for (const movement of [...added, ...changed, ...(opening === undefined ? [] : [opening])]) known.set(movement.movement_id, movement)
  return withTail(row, tail, foldCard([...known.values()], tail.balance_before, tail))
}

/** The card with a new end of its statement in place of a stored one. */
function withTail (row: CardRow, tail: Tail, folded: Folded): Refolded {
  const dropped = tail.lines.map(({ kind, points }) => ({ kind, points, lines: 1n }))
  // If the last movement is before the tail, the row's value is right. Otherwise the fold of the tail, which contains
  // all movements from there on, sets it again.
  const before = withoutTail(row, dropped, { balance: tail.balance_before, last_movement_at: row.last_movement_at })
  const running = runningTotalsOf(before, folded)
  const lines = folded.lines.map((line, index) => {
    const running_totals = running.get(index)
    return { ...line, running_totals: running_totals === undefined ? null : storedTotals(running_totals) }
  })
  return {
    row: { ...row, ...withStretch(before, folded), balance_stated_at: folded.balance_stated_at },
    tail: { card_id: row.card_id, from: tail.from, lines, added: tail.lines.length === 0 }
  }
}

import { groupBy } from '../ledger/group-by.ts'
import { readRunningTotals, withLines, withoutTail, withStretch, NO_TOTALS, type Before, type Totals } from '../ledger/totals.ts'
import { pendingAt, type AsOf } from '../ledger/as-of.ts'
import { later } from '../ledger/instant.ts'
import type { ShownCard } from '../projections/cards/reads.sql.ts'
import type { Trx } from '../postgres/database.ts'
import { addUpToMilestone, readBefore, readCarriedIn, type NearestMilestone } from './lines.sql.ts'
import { readPendingAt } from './holders.sql.ts'
import { readNewestSnapshotsAt, readPendingTotalsAt } from './snapshots.sql.ts'
import type { CardRow } from '../postgres/tables.ts'
import { cardsHeldAt, holdersAt } from './holders.ts'
import { refoldTails } from './refolded-tail.ts'

/**
 * Cards as of a past time: sums, pending points and holder. Fields that describe a card (code, campaign, whether it is
 * active or deleted) stay as they are known now, since only the newest observation of them is kept. So does
 * `parked_at`: the observations that the past is folded from lack the events that wait, too.
 * @param rows the cards as they are now
 */
export async function cardsAt<Card extends CardRow> (trx: Trx, rows: readonly Card[], asOf: AsOf): Promise<Card[]> {
  return await asOfThen(trx, rows, await holdersAt(trx, rows, asOf), asOf)
}

/** The cards that a customer held at a past time, as they were then. */
export async function customerCardsAt (trx: Trx, customer_id: string, asOf: AsOf): Promise<ShownCard[]> {
  const rows = await cardsHeldAt(trx, customer_id, asOf)
  return await asOfThen(trx, rows, new Map(rows.map(({ card_id }) => [card_id, customer_id])), asOf)
}

async function asOfThen<Card extends CardRow> (trx: Trx, rows: readonly Card[], holders: ReadonlyMap<string, string>, asOf: AsOf): Promise<Card[]> {
  const ids = rows.map(({ card_id }) => card_id)
  const then = await totalsAt(trx, rows, asOf)
  const lots = groupBy(await readPendingAt(trx, ids, asOf), ({ card_id }) => card_id)
  const totals = groupBy(await readPendingTotalsAt(trx, ids, asOf), ({ card_id }) => card_id)
  return rows.map(row => ({
    ...row,
    ...then.get(row.card_id),
    ...pendingAt(lots.get(row.card_id) ?? [], totals.get(row.card_id) ?? [], asOf),
    customer_id: holders.get(row.card_id) ?? null
  }))
}

type TotalsThen = Totals & Pick<CardRow, 'balance_stated_at'>

async function totalsAt (trx: Trx, rows: readonly CardRow[], asOf: AsOf): Promise<Map<string, TotalsThen>> {
  const past = await refoldTails(trx, rows.map(({ card_id }) => card_id), asOf)
  const cuts = [...past.values()].map(({ cut }) => cut).filter(({ from, at }) => from !== null || at !== null)
  const before = await readBefore(trx, cuts)
  const nearest = await addUpToMilestone(trx, cuts)
  const shown = await readNewestSnapshotsAt(trx, cuts.map(({ card_id }) => card_id), asOf)
  // Before its first line a card has what it was first seen with.
  const carried = await readCarriedIn(trx, [...before].filter(([card_id, { balance }]) => balance === null && shown.has(card_id)).map(([card_id]) => card_id))
  return new Map(rows.map(row => {
    const { card_id } = row
    const cut = before.get(card_id)
    if (cut === undefined) return [card_id, { ...totalsOf(row), balance_stated_at: row.balance_stated_at }]
    const tail = past.get(card_id)?.tail
    const shown_at = shown.get(card_id) ?? null
    if (cut.balance === null && tail === undefined && shown_at !== null) {
      const opening = carried.get(card_id) ?? row.balance
      return [card_id, { ...NO_TOTALS, opening, balance: opening, balance_stated_at: shown_at }]
    }
    const totals = totalsAtCut(totalsOf(row), nearest.get(card_id), cut)
    const balance_stated_at = later(tail?.balance_stated_at ?? cut.stated_at, shown_at)
    return [card_id, { ...tail === undefined ? totals : withStretch(totals, tail), balance_stated_at }]
  }))
}

/** @param nearest undefined if nothing is cut off */
function totalsAtCut (now: Totals, nearest: NearestMilestone | undefined, before: Before): Totals {
  if (nearest === undefined) return now
  const { side, running_totals, between } = nearest
  const there = running_totals === null ? now : { ...now, ...readRunningTotals(running_totals) }
  return side === 'before' ? withLines(there, between, before) : withoutTail(there, between, before)
}

function totalsOf (row: CardRow): Totals {
  return Object.fromEntries((Object.keys(NO_TOTALS) as Array<keyof Totals>).map(name => [name, row[name]])) as unknown as Totals
}

import { revealedBy } from '../ledger/card.ts'
import { isAhead } from '../ledger/clock.ts'
import { groupBy } from '../ledger/group-by.ts'
import type { Instant } from '../ledger/instant.ts'
import type { AsOf } from '../ledger/as-of.ts'
import { winners, type MergedField, type Winners } from '../ledger/movements.ts'
import type { Recomputed } from '../providers/provider.ts'
import type { Providers } from '../providers/index.ts'
import type { Trx } from '../postgres/database.ts'
import { readSources, type Source } from '../projections/cards/sources.sql.ts'
import type { StatementLineRow } from '../postgres/tables.ts'
import { recomputeAwards } from './recompute.ts'

/** The event that each field of a movement comes from; null where no event states the field. */
export type Won = Record<MergedField, { event_id: string, subject: string } | null>

/** The place of an unexplained line, and the balances before and after it. */
export interface Gap {
  /** The previous line. */
  after_movement_id: string | null
  /** The movement whose reported balance revealed the difference; null where a snapshot of the card did. */
  before_movement_id: string | null
  /** The time of that snapshot. */
  snapshot_at: Instant | null
  our_balance: bigint
  implied_balance: bigint
}

/** A statement line with every observation of it. */
export interface ExplainedLine extends StatementLineRow {
  /** Best source rank first. */
  observed_in: Source[]
  won: Won | null
  recomputed: Recomputed | null
  gap: Gap | null
  /** For people. */
  remark: string | null
}

/**
 * Explains lines of a card's statement: which events each was observed in, which of them won which field, and whether
 * an award's points are what its rule gives. An unexplained line was observed in no event; its gap says where it is.
 * @param lines one page of the statement, newest first
 * @param older the first line of the next page; undefined when the page reaches the card's first line
 */
export async function explainLines (
  trx: Trx, card_id: string, lines: readonly StatementLineRow[], older: StatementLineRow | undefined, asOf: AsOf, providers?: Providers
): Promise<ExplainedLine[]> {
  const observed = lines.filter(({ kind }) => kind !== 'unexplained').map(({ movement_id }) => movement_id)
  const sources = groupBy(await readSources(trx, card_id, observed, asOf.known_at), ({ movement_id }) => movement_id)
  const observations = new Map([...sources].map(([movement_id, observed_in]) => [movement_id, winners(observed_in)]))
  const recomputed = await recomputeAwards(trx, lines, observations, providers)
  return lines.map((line, index) => {
    const before = lines[index + 1] ?? older
    if (line.kind === 'unexplained') return explainGap(line, before)
    const observed_in = observations.get(line.movement_id) ?? winners<Source>([])
    const advice = recomputed.get(line.movement_id)
    return {
      ...line,
      observed_in: observed_in.ranked,
      won: wonBy(observed_in),
      recomputed: advice !== undefined && 'points' in advice ? advice : null,
      gap: null,
      remark: joined(openingRemark(line, before), aheadRemark(observed_in.best), advice !== undefined && 'why' in advice ? advice.why : undefined)
    }
  })
}

const FIELDS = ['kind', 'points', 'reported_balance', 'observed_balance', 'occurred_at', 'order_id', 'earning_rule_id'] as const satisfies readonly MergedField[]

function wonBy ({ of }: Winners<Source>): Won {
  return Object.fromEntries(FIELDS.map(field => {
    const winner = of(field)
    return [field, winner === undefined ? null : { event_id: winner.event_id, subject: winner.subject }]
  })) as Won
}

function explainGap (line: StatementLineRow, before: StatementLineRow | undefined): ExplainedLine {
  const revealed = revealedBy(line)
  const gap: Gap = {
    after_movement_id: before?.movement_id ?? null,
    before_movement_id: 'movement_id' in revealed ? revealed.movement_id : null,
    snapshot_at: 'snapshot_at' in revealed ? revealed.snapshot_at : null,
    our_balance: line.balance - line.points,
    implied_balance: line.balance
  }
  const { points } = line
  const said = gap.before_movement_id === null
    ? `As of ${gap.snapshot_at} the provider showed the card with a balance of ${gap.implied_balance}`
    : `Before ${gap.before_movement_id} the provider's figures imply a balance of ${gap.implied_balance}`
  const remark = `${said}; by the known movements it was ${gap.our_balance}. ` +
    `${points < 0n ? `${counted(-points)} went` : `${counted(points)} came`} in a way that no known event explains. If such an event arrives later, this line shrinks or disappears.`
  return { ...line, observed_in: [], won: null, recomputed: null, gap, remark }
}

/** What a card held before its first line is in no line of its own; only the first line's balance includes it. */
function openingRemark (line: StatementLineRow, before: StatementLineRow | undefined): string | undefined {
  const held = line.balance - line.points
  if (before !== undefined || held === 0n) return undefined
  return `The card held ${counted(held)} before this line, which is the first one known: that is its opening balance.`
}

/** A time that is days ahead is that of a wrong clock. */
function aheadRemark (best: Source | undefined): string | undefined {
  if (best === undefined || best.event_occurred_at === null || !isAhead(best.event_occurred_at, best.recorded_at)) return undefined
  return `Its event is dated ${best.event_occurred_at}, more than a day after it was stored: a clock is wrong, and the line counts from when it was stored.`
}

function counted (points: bigint): string {
  return points === 1n ? '1 point' : `${points} points`
}

function joined (...remarks: Array<string | undefined>): string | null {
  const present = remarks.filter(remark => remark !== undefined)
  return present.length === 0 ? null : present.join(' ')
}

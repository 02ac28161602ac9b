import { addToSums, balanceOf, foldCard, type Line, type Sums } from '../ledger/card.ts'
import type { CardField, MovementSighting } from '../ledger/facts.ts'
import { mergeSightings, type Movement, type RecordedSighting } from '../ledger/movements.ts'
import type { Trx } from '../store/database.ts'
import type { CardRow, LineRow } from '../store/tables.ts'
import { lockCards, readTails, replaceTails, updateCards, type NewTail, type Tail } from '../store/write-cards.ts'
import { addSightings } from '../store/write-sightings.ts'
import { groupBy, latestOf, toldOf, type Projection, type Told } from './projection.ts'

const FIELDS = ['code', 'campaign_id', 'campaign', 'customer_id'] as const satisfies readonly CardField[]

/** Cards, their movements and statements. */
export const cards: Projection = {
  name: 'cards',
  version: 1,
  async apply (trx, told) {
    const movements = groupBy(toldOf(told, 'movement').map(recorded), sighting => sighting.card_id)
    const sightings = groupBy(toldOf(told, 'card').map(({ fact }) => fact), sighting => sighting.card_id)
    const ids = [...new Set([...movements.keys(), ...sightings.keys()])]
    if (ids.length === 0) return

    const rows = await lockCards(trx, ids)
    const touched = await mergeTouched(trx, [...movements.values()].flat())
    const tails = await readTails(trx, touched)
    const refolded = rows.map(row => {
      const named = { ...row, ...latestOf(row, FIELDS, sightings.get(row.card_id) ?? []) }
      return refold(named, touched.get(row.card_id) ?? [], tails.get(row.card_id))
    })
    await updateCards(trx, refolded.map(({ row }) => row))
    await replaceTails(trx, refolded.flatMap(({ tail }) => tail ?? []))
  }
}

function recorded ({ fact, event_id, subject, recorded_at, fact_digest }: Told<MovementSighting>): RecordedSighting {
  const { fact: _, ...sighting } = fact
  return { ...sighting, event_id, subject, recorded_at, fact_digest: fact_digest.toString('hex') }
}

/** Stores the new sightings and merges every movement they touch from all its sightings, by card. */
async function mergeTouched (trx: Trx, sightings: readonly RecordedSighting[]): Promise<Map<string, Movement[]>> {
  const all = await addSightings(trx, sightings)
  const byMovement = groupBy(all, sighting => JSON.stringify([sighting.card_id, sighting.movement_id]))
  return groupBy([...byMovement.values()].map(mergeSightings), movement => movement.card_id)
}

/** What a step makes of a card: its row, and the end of its statement where a movement touched it. */
interface Refolded { row: CardRow, tail?: NewTail }

/**
 * Folds a card anew from its earliest touched moment on. What stands before that moment is right already, since the
 * fold of a stretch depends only on the balance it begins from: so a new movement at the end costs no history.
 */
function refold (row: CardRow, touched: readonly Movement[], tail: Tail | undefined): Refolded {
  if (touched.length === 0 || tail === undefined) return { row }
  const retold = new Set(touched.map(movement => movement.movement_id))
  const kept = tail.lines.filter(line => line.kind !== 'unexplained' && !retold.has(line.movement_id)).map(asMovement)
  const folded = foldCard([...kept, ...touched], tail.balance_before)

  const sums = { ...row }
  if (tail.balance_before === null) sums.opening = 0n
  for (const line of tail.lines) addToSums(sums, line.kind as Line['kind'], line.points, -1n)
  for (const [name, points] of Object.entries(folded.sums) as Array<[keyof Sums, bigint]>) sums[name] += points
  const count = (lines: ReadonlyArray<{ kind: string }>): bigint => BigInt(lines.filter(line => line.kind !== 'unexplained').length)
  return {
    row: {
      ...sums,
      balance: balanceOf(sums),
      movements: row.movements - count(tail.lines) + count(folded.lines),
      first_movement_at: tail.balance_before === null ? folded.lines[0]?.occurred_at ?? null : row.first_movement_at,
      last_movement_at: folded.lines.at(-1)?.occurred_at ?? null
    },
    tail: { card_id: row.card_id, from: tail.from, lines: folded.lines }
  }
}

function asMovement (line: LineRow): Movement {
  const { tie: _, balance: __, ...movement } = line
  return movement as Movement
}

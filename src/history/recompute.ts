import type { Winners } from '../ledger/movements.ts'
import { recompute, type NotRecomputed, type Recomputed } from '../providers/voucherify/rules/recompute.ts'
import type { Trx } from '../postgres/database.ts'
import { inBatches } from '../log/batches.ts'
import { BATCH_BYTES, findBodies } from '../log/read.sql.ts'
import type { Source } from '../projections/cards/sources.sql.ts'
import type { StatementLineRow } from '../postgres/tables.ts'

/**
 * Recomputes the awards among some lines, each from the event of the highest source rank whose payload allows it. If none does, the
 * result says why the highest one does not. Bodies are read in batches that fit in memory, and released.
 * @param observed_in the observations of each movement
 * @returns by movement
 */
export async function recomputeAwards (
  trx: Trx, lines: readonly StatementLineRow[], observed_in: ReadonlyMap<string, Winners<Source>>
): Promise<Map<string, Recomputed | NotRecomputed>> {
  const points = new Map(lines.filter(({ kind }) => kind === 'accrual').map(line => [line.movement_id, line.points]))
  const sources = [...points.keys()].flatMap(movement_id => observed_in.get(movement_id)?.ranked ?? [])
  const advice = new Map<string, Recomputed | NotRecomputed>()
  for await (const batch of inBatches(sources, { items: Infinity, bytes: BATCH_BYTES }, ({ body_bytes }) => body_bytes)) {
    const bodies = new Map((await findBodies(trx, batch)).map(({ event_id, subject, body }) => [keyOf({ event_id, subject }), body]))
    for (const source of batch) {
      const { movement_id } = source
      const known = advice.get(movement_id)
      if (known !== undefined && 'points' in known) continue
      const result = recompute(bodies.get(keyOf(source)) ?? '', points.get(movement_id) ?? 0n)
      if (known === undefined || 'points' in result) advice.set(movement_id, result)
    }
  }
  return advice
}

function keyOf ({ event_id, subject }: Pick<Source, 'event_id' | 'subject'>): string {
  return JSON.stringify([event_id, subject])
}

import type { Winners } from '../ledger/movements.ts'
import { knownProviders, type Providers } from '../providers/index.ts'
import type { NotRecomputed, Recomputed } from '../providers/provider.ts'
import type { Trx } from '../postgres/database.ts'
import { inBatches } from '../log/batches.ts'
import { BATCH_BYTES, findBodies } from '../log/read.sql.ts'
import type { Source } from '../projections/cards/sources.sql.ts'
import type { StatementLineRow } from '../postgres/tables.ts'

/**
 * Recomputes the awards among some lines: each from the event of the highest source rank whose payload allows it. Where
 * none does, the one of the highest rank says why not. Reads bodies in batches that fit in memory, and keeps none.
 * @param observed_in the events that state each movement
 * @returns by movement
 */
export async function recomputeAwards (
  trx: Trx, lines: readonly StatementLineRow[], observed_in: ReadonlyMap<string, Winners<Source>>, providers: Providers = knownProviders
): Promise<Map<string, Recomputed | NotRecomputed>> {
  const points = new Map(lines.filter(({ kind }) => kind === 'accrual').map(line => [line.movement_id, line.points]))
  const sources = [...points.keys()].flatMap(movement_id => observed_in.get(movement_id)?.ranked ?? [])
  const advice = new Map<string, Recomputed | NotRecomputed>()
  for await (const batch of inBatches(sources, { items: Infinity, bytes: BATCH_BYTES }, ({ body_bytes }) => body_bytes)) {
    const bodies = new Map((await findBodies(trx, batch)).map(event => [keyOf(event), event]))
    for (const source of batch) {
      const { movement_id } = source
      const known = advice.get(movement_id)
      if (known !== undefined && 'points' in known) continue
      const event = bodies.get(keyOf(source))
      const result = event === undefined ? EVENT_GONE : recomputeBy(providers, event, points.get(movement_id) ?? 0n)
      if (known === undefined || 'points' in result) advice.set(movement_id, result)
    }
  }
  return advice
}

const EVENT_GONE: NotRecomputed = { why: 'The event that states it is not in the log.' }

function recomputeBy (providers: Providers, { provider, body }: { provider: string, body: string }, points: bigint): Recomputed | NotRecomputed {
  return providers.readerNamed(provider)?.recompute(body, points) ?? { why: `This version has no reader for events of the provider ${JSON.stringify(provider)}.` }
}

function keyOf ({ event_id, subject }: Pick<Source, 'event_id' | 'subject'>): string {
  return JSON.stringify([event_id, subject])
}

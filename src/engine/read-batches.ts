import type { Claim } from './checkpoints.sql.ts'
import type { Trx } from '../postgres/database.ts'
import { readSpans, type StoredEvent } from '../log/read.sql.ts'
import type { Providers } from '../providers/index.ts'
import { decodeEvent, type DecodedEvent } from './decode.ts'
import { ANY_PARKED } from './parking/parked.sql.ts'
import type { Projection } from './projection.ts'

/** The next events of a claimed shard. `after`: the position of the projection that lags most. */
export interface Batch { claim: Claim, after: bigint, events: DecodedEvent[] }

/** The log has a hole: a defect or damage that no retry repairs. */
export class LogGap extends Error {
  override name = 'LogGap'
  readonly code = 'log_gap'
}

/**
 * Reads the next events of claimed shards, and checks that they are contiguous.
 * @param limit events of one shard at most
 * @returns the batches, and whether anything is parked; normally nothing is, and then the step compares no keys
 * @throws LogGap
 */
export async function readBatches (
  trx: Trx, projections: readonly Projection[], claims: readonly Claim[], limit: number, providers: Providers
): Promise<{ batches: Batch[], any_parked: boolean }> {
  const spans = claims.map(({ shard, head, positions }) => {
    const after = leastPosition(positions, projections)
    return { shard, after, count: Math.min(Number(head - after), limit) }
  })
  const stored = await readSpans(trx, spans, { also: ANY_PARKED })
  const batches = claims.map((claim, index) => ({ claim, after: spans[index]!.after, events: stored[index]! }))
    // Where large events fill the memory limit, a shard comes back empty. It waits for a step that claims it first.
    .filter(({ events }, index) => index === 0 || events.length > 0)
  for (const { claim, after, events } of batches) assertContiguous(claim, after, events)
  return {
    batches: batches.map(({ claim, after, events }) => ({ claim, after, events: events.map(event => decodeEvent(event, providers)) })),
    any_parked: stored.some(([event]) => event?.any_parked === true)
  }
}

/** The position of the projection that lags most. */
export function leastPosition (positions: Claim['positions'], projections: readonly Projection[]): bigint {
  return projections.map(({ name }) => positions.get(name) ?? 0n).reduce((least, position) => position < least ? position : least)
}

/** Positions run 1, 2, 3 … without holes up to the head. Anything else is damage: stop with an error. */
function assertContiguous ({ shard, head }: Claim, after: bigint, events: readonly StoredEvent[]): void {
  const hole = events.findIndex((event, index) => event.position !== after + BigInt(index + 1))
  if (hole !== -1 || (events.length === 0 && head > after)) {
    const missing = after + BigInt(hole === -1 ? 1 : hole + 1)
    throw new LogGap(`event ${shard}:${missing} is missing from the log although the shard's head is ${head}; nothing behind it is projected`)
  }
}

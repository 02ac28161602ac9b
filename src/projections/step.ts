import { factsOf } from '../provider/voucherify/delivery.ts'
import { advanceCheckpoints, claimShard, type Claim } from '../store/checkpoints.ts'
import type { Db, Trx } from '../store/database.ts'
import { readShard, type StoredEvent } from '../store/events.ts'
import type { Projection, Told } from './projection.ts'

export interface Stepped {
  shard: number
  /** The new checkpoint. */
  position: bigint
  events: number
}

/** A step that failed, and in which shard; `cause` says why. Nothing of it is kept. */
export class StepFailed extends Error {
  override name = 'StepFailed'
  readonly shard: number

  constructor (shard: number, cause: unknown) {
    super(`projecting shard ${shard} failed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    this.shard = shard
  }
}

/** The log has a hole: a defect or damage that no retry mends. */
export class LogGap extends Error {
  override name = 'LogGap'
  readonly code = 'log_gap'
}

/**
 * One step, one transaction: claim a shard, read its next events, check that they are contiguous, turn them into facts,
 * fold, write rows, move the checkpoint, commit (docs/architecture.md).
 * @returns what was done, or undefined when no shard lags that nobody else holds
 * @throws StepFailed when the claimed shard could not be projected; whatever the database threw when none could be claimed
 */
export async function step (
  db: Db, projections: readonly Projection[], options: { batch: number, except?: readonly number[] }
): Promise<Stepped | undefined> {
  let shard: number | undefined
  try {
    return await db.transaction().execute(async trx => {
      const claim = await claimShard(trx, projections, options.except ?? [])
      if (claim === undefined) return undefined
      shard = claim.shard
      return await project(trx, projections, claim, options.batch)
    })
  } catch (error) {
    throw shard === undefined ? error : new StepFailed(shard, error)
  }
}

async function project (trx: Trx, projections: readonly Projection[], claim: Claim, batch: number): Promise<Stepped> {
  const standing = (projection: Projection): bigint => claim.positions.get(projection.name) ?? 0n
  const after = projections.map(standing).reduce((least, position) => position < least ? position : least)
  const events = await readShard(trx, claim.shard, after, batch)
  assertContiguous(claim, after, events)

  const told = events.map(event => ({ position: event.position, told: tellings(event) }))
  for (const projection of projections) {
    const unseen = told.filter(event => event.position > standing(projection)).flatMap(event => event.told)
    if (unseen.length > 0) await projection.apply(trx, unseen)
  }
  const position = after + BigInt(events.length)
  await advanceCheckpoints(trx, projections, claim, position)
  return { shard: claim.shard, position, events: events.length }
}

/** Positions run 1, 2, 3 … without holes, and the head is there: anything else is corruption, and we stop loudly. */
function assertContiguous ({ shard, head }: Claim, after: bigint, events: readonly StoredEvent[]): void {
  const hole = events.findIndex((event, index) => event.position !== after + BigInt(index + 1))
  if (hole !== -1 || (events.length === 0 && head > after)) {
    const missing = after + BigInt(hole === -1 ? 1 : hole + 1)
    throw new LogGap(`event ${shard}:${missing} is missing from the log although the shard's head is ${head}; nothing behind it is projected`)
  }
}

function tellings (event: StoredEvent): Told[] {
  if (event.test) return []
  const { event_id, subject, received_at: recorded_at, fact_digest } = event
  return factsOf(event.body).map(fact => ({ fact, event_id, subject, recorded_at, fact_digest }))
}

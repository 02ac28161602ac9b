import { advanceCheckpoints, claimShard, readVersions, type Claim } from '../store/checkpoints.ts'
import type { Db, Trx } from '../store/database.ts'
import { readShard, type StoredEvent } from '../store/events.ts'
import { addWaiting, anyParked, park } from '../store/parked.ts'
import { foldCarefully, isPoison } from './poison.ts'
import type { Projection } from './projection.ts'
import { readEvent } from './read.ts'
import { factsFor, parkingOf, withhold, type Placed } from './withhold.ts'

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

export interface StepOptions {
  /** Events at most. */
  batch: number
  /** Shards to leave alone. */
  except?: readonly number[]
  /** Up to where to go in each shard; to its head where nothing is said. */
  upTo?: Positions
}

/** A position in each shard. */
export type Positions = ReadonlyMap<number, bigint>

/**
 * One step, one transaction: claim a shard, read its next events, check that they are contiguous, turn them into facts,
 * fold, write rows, move the checkpoint, commit (docs/architecture.md). Where an event cannot be folded, the step is taken
 * again with care: what the event is about is parked, and all else goes on.
 * @returns what was done, or undefined when no shard lags that nobody else holds
 * @throws StepFailed when the claimed shard could not be projected; whatever the database threw when none could be claimed
 */
export async function step (db: Db, projections: readonly Projection[], options: StepOptions): Promise<Stepped | undefined> {
  let shard: number | undefined
  const claimed = (claim: Claim): void => { shard = claim.shard }
  try {
    return await take(db, projections, { ...options, fold, claimed })
  } catch (error) {
    if (shard === undefined) throw error
    if (!isPoison(error)) throw new StepFailed(shard, error)
  }
  try {
    return await take(db, projections, { ...options, only: shard, fold: foldOrPark, claimed })
  } catch (error) {
    throw new StepFailed(shard, error)
  }
}

/**
 * Steps inside a transaction that the caller commits, until no shard is left that nobody else holds. Takes the careful way at
 * once: there is no second try.
 */
export async function stepUpTo (trx: Trx, projections: readonly Projection[], options: StepOptions & { upTo: Positions }): Promise<void> {
  while (await takeWithin(trx, projections, { ...options, fold: foldOrPark, claimed () {} }) !== undefined);
}

type Fold = (trx: Trx, projection: Projection, shard: number, facts: readonly Placed[]) => Promise<void>

type Taking = StepOptions & { only?: number, fold: Fold, claimed: (claim: Claim) => void }

async function take (db: Db, projections: readonly Projection[], options: Taking): Promise<Stepped | undefined> {
  return await db.transaction().execute(async trx => await takeWithin(trx, projections, options))
}

async function takeWithin (trx: Trx, projections: readonly Projection[], options: Taking): Promise<Stepped | undefined> {
  const built = await builtOf(trx, projections)
  const claim = built.length === 0 ? undefined : await claimShard(trx, built, options)
  if (claim === undefined) return undefined
  options.claimed(claim)
  return await project(trx, built, claim, options)
}

/** The projections whose rows were folded by this version of their rules: nothing else may be folded into them. */
export async function builtOf (db: Db, projections: readonly Projection[]): Promise<Projection[]> {
  const versions = await readVersions(db)
  return projections.filter(({ name, version }) => versions.get(name) === version)
}

async function project (trx: Trx, projections: readonly Projection[], claim: Claim, { batch, fold }: Taking): Promise<Stepped> {
  const standing = (projection: Projection): bigint => claim.positions.get(projection.name) ?? 0n
  const after = projections.map(standing).reduce((least, position) => position < least ? position : least)
  const left = claim.head - after
  const events = await readShard(trx, claim.shard, after, left < BigInt(batch) ? Number(left) : batch)
  assertContiguous(claim, after, events)

  const read = events.map(readEvent)
  const holding = read.some(({ unreadable }) => unreadable !== undefined) || await anyParked(trx)
  for (const projection of projections) {
    const unseen = read.filter(({ event }) => event.position > standing(projection))
    const facts = holding ? await withhold(trx, projection, claim.shard, unseen) : factsFor(projection, unseen)
    if (facts.length > 0) await fold(trx, projection, claim.shard, facts)
  }
  const position = after + BigInt(events.length)
  await advanceCheckpoints(trx, projections, claim, position)
  return { shard: claim.shard, position, events: events.length }
}

async function fold (trx: Trx, projection: Projection, _shard: number, facts: readonly Placed[]): Promise<void> {
  await projection.apply(trx, facts.map(({ told }) => told))
}

/** Folds what can be folded; what cannot waits, with all that follows it of the same card or order. */
async function foldOrPark (trx: Trx, projection: Projection, shard: number, facts: readonly Placed[]): Promise<void> {
  for (const { facts: left, error } of await foldCarefully(trx, projection, facts)) {
    const { told: { event_id, subject }, key, position } = left[0]
    await park(trx, [parkingOf(projection, key, shard, { event_id, subject, position }, 'fold_failed', error)])
    await addWaiting(trx, left.map(({ position }) => ({ projection: projection.name, key, shard, position })))
  }
}

/** Positions run 1, 2, 3 … without holes, and the head is there: anything else is corruption, and we stop loudly. */
function assertContiguous ({ shard, head }: Claim, after: bigint, events: readonly StoredEvent[]): void {
  const hole = events.findIndex((event, index) => event.position !== after + BigInt(index + 1))
  if (hole !== -1 || (events.length === 0 && head > after)) {
    const missing = after + BigInt(hole === -1 ? 1 : hole + 1)
    throw new LogGap(`event ${shard}:${missing} is missing from the log although the shard's head is ${head}; nothing behind it is projected`)
  }
}

import { advanceCheckpoints, claimShard, claimTogether, readVersions, type Claim } from './checkpoints.sql.ts'
import type { Db, Trx } from '../postgres/database.ts'
import { readShard, readShards, type StoredEvent } from '../log/read.sql.ts'
import { failureOf } from '../postgres/errors.ts'
import { addWaiting, park } from './parking/parked.sql.ts'
import { foldCarefully, isPoison } from './parking/bisect.ts'
import type { Projection } from './projection.ts'
import { knownProviders } from '../providers/index.ts'
import type { Providers } from '../providers/registry.ts'
import { decodeEvent, type DecodedEvent } from './decode.ts'
import { factsFor, keyOfPlaced, parkingOf, holdBack, type Placed } from './parking/hold-back.ts'

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
  /** Shards that were in the same step: which of all is to blame, nobody knows. */
  readonly others: readonly number[]

  constructor (shard: number, cause: unknown, others: readonly number[] = []) {
    super(`projecting shard ${[shard, ...others].join(', ')} failed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    this.shard = shard
    this.others = others
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
  /** The one shard that is wanted. */
  only?: number
  /** Up to where to go in each shard; to its head where nothing is said. */
  upTo?: Positions
  /** Whose events can be read; all that there are unless said. */
  providers?: Providers
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
  const claimed = ([first]: Claims): void => { shard = first.shard }
  try {
    return (await take(db, projections, { ...options, fold, claimed }))[0]
  } catch (error) {
    if (shard === undefined) throw error
    if (!isPoison(error)) throw new StepFailed(shard, error)
  }
  try {
    return (await take(db, projections, { ...options, only: shard, fold: foldOrPark, claimed }))[0]
  } catch (error) {
    throw new StepFailed(shard, error)
  }
}

/**
 * The same for several shards at once, where each has only little to fold: what a step costs whatever it folds is paid once
 * and not for each shard, and near the end of the log that is nearly all of it. Where it does not go smoothly, a shard goes alone.
 * @returns what was done in each shard
 * @throws as `step`
 */
export async function stepTogether (db: Db, projections: readonly Projection[], options: Omit<StepOptions, 'upTo' | 'only'>): Promise<Stepped[]> {
  let claims: Claims | undefined
  try {
    return await take(db, projections, { ...options, together: true, fold, claimed: claimed => { claims = claimed } })
  } catch (error) {
    if (claims === undefined) throw error
    const [{ shard }, ...others] = claims
    if (failureOf(error) === 'unavailable' || (others.length === 0 && !isPoison(error))) throw new StepFailed(shard, error, others.map(({ shard }) => shard))
  }
  const stepped = await step(db, projections, options)
  return stepped === undefined ? [] : [stepped]
}

/**
 * Steps inside a transaction that the caller commits, until no shard is left that nobody else holds. Takes the careful way at
 * once: there is no second try.
 */
export async function stepUpTo (trx: Trx, projections: readonly Projection[], options: StepOptions & { upTo: Positions }): Promise<void> {
  while ((await takeWithin(trx, projections, { ...options, fold: foldOrPark, claimed () {} })).length > 0);
}

type Fold = (trx: Trx, projection: Projection, shard: number, facts: readonly Placed[]) => Promise<void>

/** The shards that a step has claimed. Several are folded together, and then none of them with care. */
type Claims = readonly [Claim, ...Claim[]]

type Taking = StepOptions & { together?: boolean, fold: Fold, claimed: (claims: Claims) => void }

async function take (db: Db, projections: readonly Projection[], options: Taking): Promise<Stepped[]> {
  return await db.transaction().execute(async trx => await takeWithin(trx, projections, options))
}

async function takeWithin (trx: Trx, projections: readonly Projection[], options: Taking): Promise<Stepped[]> {
  const { built, claimed: [first, ...others] } = await claimCurrent(trx, projections, options)
  if (first === undefined) return []
  const claims: Claims = [first, ...others]
  options.claimed(claims)
  return await project(trx, built, claims, options)
}

/** Nearly always all projections are built, and what is claimed shows it: near the end of the log a step is made of its statements. */
async function claimCurrent (trx: Trx, projections: readonly Projection[], options: Taking): Promise<{ built: readonly Projection[], claimed: Claim[] }> {
  const claimed = await claim(trx, projections, options)
  if (claimed.length > 0 && claimed.every(({ positions }) => positions.size === projections.length)) return { built: projections, claimed }
  const built = await currentOf(trx, projections)
  return { built, claimed: built.length === projections.length ? claimed : await claim(trx, built, options) }
}

/** Claims all shards that a batch has room for, or the one that was moved longest ago. */
async function claim (trx: Trx, projections: readonly Projection[], options: Taking): Promise<Claim[]> {
  if (projections.length === 0) return []
  const { together = false, batch, except = [] } = options
  const several = together ? await claimTogether(trx, projections, { except, events: batch }) : []
  const one = several.length > 0 ? undefined : await claimShard(trx, projections, options)
  // Between our look and our lock another worker may have been there.
  return [...several, ...(one === undefined ? [] : [one])].filter(claim => leastOf(claim, projections) < claim.head)
}

/** The projections whose rows were folded by this version of their rules: nothing else may be folded into them. */
export async function currentOf (db: Db, projections: readonly Projection[]): Promise<Projection[]> {
  const versions = await readVersions(db)
  return projections.filter(({ name, version }) => versions.get(name) === version)
}

/** What is to be folded of a claimed shard. */
interface Batch { claim: Claim, after: bigint, read: DecodedEvent[] }

/** @returns what was done in each shard that could be taken along */
async function project (trx: Trx, projections: readonly Projection[], claims: Claims, { batch, fold, providers = knownProviders }: Taking): Promise<Stepped[]> {
  const { batches, parked } = await readBatches(trx, projections, claims, batch, providers)
  const holding = parked || batches.some(({ read }) => read.some(({ unreadable }) => unreadable !== undefined))
  // What must be kept back is kept back by shard.
  const taken = holding ? batches.slice(0, 1) : batches
  for (const projection of projections) {
    const facts: Placed[] = []
    for (const { claim, read } of taken) {
      const unseen = read.filter(({ event }) => event.position > standing(claim, projection))
      for (const fact of holding ? await holdBack(trx, projection, claim.shard, unseen) : factsFor(projection, unseen)) facts.push(fact)
    }
    if (facts.length > 0) await fold(trx, projection, claims[0].shard, facts)
  }
  const moves = taken.map(({ claim, after, read }) => ({ claim, position: after + BigInt(read.length), events: read.length }))
  await advanceCheckpoints(trx, projections, moves)
  return moves.map(({ claim: { shard }, position, events }) => ({ shard, position, events }))
}

/** @returns what is to be folded, and whether anything is parked at all: most often not, and then no step needs to look closer */
async function readBatches (trx: Trx, projections: readonly Projection[], claims: Claims, batch: number, providers: Providers): Promise<{ batches: Batch[], parked: boolean }> {
  const spans = claims.map(claim => {
    const after = leastOf(claim, projections)
    const left = claim.head - after
    return { claim, shard: claim.shard, after, count: left < BigInt(batch) ? Number(left) : batch }
  })
  const [only] = spans
  const stored = spans.length === 1 && only !== undefined
    ? [await readShard(trx, only.shard, only.after, only.count)]
    : await readShards(trx, spans)
  const parked = stored.some(([event]) => event?.any_parked === true)
  // Of large events not all fit: a shard that came away with nothing waits for a step of which it is the first.
  const batches = spans.map(({ claim, after }, index) => ({ claim, after, events: stored[index] ?? [] }))
    .filter(({ events }, index) => index === 0 || events.length > 0)
  for (const { claim, after, events } of batches) assertContiguous(claim, after, events)
  return { batches: batches.map(({ claim, after, events }) => ({ claim, after, read: events.map(event => decodeEvent(event, providers)) })), parked }
}

function standing ({ positions }: Claim, { name }: Projection): bigint {
  return positions.get(name) ?? 0n
}

/** Where the projection stands that is furthest behind. */
function leastOf (claim: Claim, projections: readonly Projection[]): bigint {
  return projections.map(projection => standing(claim, projection)).reduce((least, position) => position < least ? position : least)
}

async function fold (trx: Trx, projection: Projection, _shard: number, facts: readonly Placed[]): Promise<void> {
  await projection.apply(trx, facts.map(({ observed }) => observed))
}

/** Folds what can be folded; what cannot waits, with all that follows it of the same card or order. */
async function foldOrPark (trx: Trx, projection: Projection, shard: number, facts: readonly Placed[]): Promise<void> {
  for (const { facts: left, error } of await foldCarefully(trx, projection, facts)) {
    const { observed: { event_id, subject }, position } = left[0]
    const key = keyOfPlaced(left[0])
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

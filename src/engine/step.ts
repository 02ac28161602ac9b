import { advanceCheckpoints, claimShards, Fenced, type Claim, type Claimable, type Positions } from './checkpoints.sql.ts'
import type { Db, Trx } from '../postgres/database.ts'
import { failureOf } from '../postgres/errors.ts'
import { factsFor, type Placed } from './decode.ts'
import { foldOrPark, isPoison } from './parking/fold-or-park.ts'
import { holdBack } from './parking/hold-back.ts'
import type { Projection } from './projection.ts'
import { leastPosition, readBatches, type Batch } from './read-batches.ts'
import { currentOf } from './rebuild/versions.ts'
import { knownProviders, type Providers } from '../providers/index.ts'

export interface Stepped {
  shard: number
  /** The new checkpoint. */
  position: bigint
  events: number
}

/** A step that failed, and in which shard; `cause` is the reason. Nothing of it is kept. */
export class StepFailed extends Error {
  override name = 'StepFailed'
  readonly shard: number
  /** The other shards of the same step: any of all may be the one at fault. */
  readonly others: readonly number[]

  constructor (shard: number, cause: unknown, others: readonly number[] = []) {
    super(`projecting shard ${[shard, ...others].join(', ')} failed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    this.shard = shard
    this.others = others
  }
}

/**
 * True if the failure of a step passes by itself: the database is away, or the step lost a race against another worker.
 */
export function isTransient (error: unknown): boolean {
  const cause = error instanceof StepFailed ? error.cause : error
  return cause instanceof Fenced || ['retry', 'unavailable'].includes(failureOf(cause))
}

export interface StepOptions extends Claimable {
  /** Events of one shard at most. */
  batch: number
  /** The readers of events; those of all known providers by default. */
  providers?: Providers
}

/**
 * Runs one step, which is one transaction: claim a shard, read its next events, check that they are contiguous, decode
 * them into facts, fold these, write rows, move the checkpoint, commit (docs/architecture.md). If an event cannot be
 * folded, a second transaction does the same with care: it parks what the event is about, and folds the rest.
 * @returns undefined if no shard lags, or only such that others hold
 * @throws StepFailed if the claimed shard could not be projected; the database's error if none could be claimed
 */
export async function runStep (db: Db, projections: readonly Projection[], options: StepOptions): Promise<Stepped | undefined> {
  let shard: number | undefined
  const onClaim = ([first]: Claims): void => { shard = first.shard }
  try {
    return (await commitStep(db, projections, { ...options, fold: foldAll, onClaim }))[0]
  } catch (error) {
    if (shard === undefined) throw error
    if (!isPoison(error)) throw new StepFailed(shard, error)
  }
  try {
    return (await commitStep(db, projections, { ...options, only: shard, fold: foldOrPark, onClaim }))[0]
  } catch (error) {
    throw new StepFailed(shard, error)
  }
}

/**
 * Runs one step over all shards whose backlog fits into one batch together, or over one shard if the backlog of the
 * first is larger. Near the end of the log the fixed cost of a step is nearly all of its cost, and this pays it once
 * for all shards. If the joint step fails, a shard is stepped alone.
 * @returns what was folded of each shard
 * @throws as `runStep`
 */
export async function runJointStep (db: Db, projections: readonly Projection[], options: Omit<StepOptions, 'upTo' | 'only'>): Promise<Stepped[]> {
  let claims: Claims | undefined
  try {
    return await commitStep(db, projections, { ...options, joint: true, fold: foldAll, onClaim: claimed => { claims = claimed } })
  } catch (error) {
    if (claims === undefined) throw error
    const [{ shard }, ...others] = claims
    if (failureOf(error) === 'unavailable' || (others.length === 0 && !isPoison(error))) throw new StepFailed(shard, error, others.map(({ shard }) => shard))
  }
  const stepped = await runStep(db, projections, options)
  return stepped === undefined ? [] : [stepped]
}

/**
 * Runs steps inside a transaction that the caller commits, until every shard is at `upTo` or held by others. A failed
 * transaction leaves no second try, so these steps park from the start what cannot be folded.
 */
export async function stepUpTo (trx: Trx, projections: readonly Projection[], options: StepOptions & { upTo: Positions }): Promise<void> {
  while ((await stepWithin(trx, projections, { ...options, fold: foldOrPark })).length > 0);
}

/** The claimed shards of one step. */
type Claims = readonly [Claim, ...Claim[]]

interface StepPlan extends StepOptions {
  /** Claim several shards. Their facts are folded together, so `fold` must not need to know the shard. */
  joint?: boolean
  fold: (trx: Trx, projection: Projection, shard: number, facts: readonly Placed[]) => Promise<void>
  onClaim?: (claims: Claims) => void
}

async function commitStep (db: Db, projections: readonly Projection[], plan: StepPlan): Promise<Stepped[]> {
  return await db.transaction().execute(async trx => await stepWithin(trx, projections, plan))
}

async function stepWithin (trx: Trx, projections: readonly Projection[], plan: StepPlan): Promise<Stepped[]> {
  const { current, claims: [first, ...others] } = await claimCurrent(trx, projections, plan)
  if (first === undefined) return []
  const claims: Claims = [first, ...others]
  plan.onClaim?.(claims)
  const { batches, any_parked } = await readBatches(trx, current, claims, plan.batch, plan.providers ?? knownProviders)
  const holding = any_parked || batches.some(({ events }) => events.some(({ unreadable }) => unreadable !== undefined))
  // Facts are held back by shard, so then the step folds the first shard only.
  const folded = holding ? batches.slice(0, 1) : batches
  for (const projection of current) {
    const facts = await factsToFold(trx, projection, folded, holding)
    if (facts.length > 0) await plan.fold(trx, projection, first.shard, facts)
  }
  const moves = folded.map(({ claim, after, events }) => ({ claim, position: after + BigInt(events.length), events: events.length }))
  await advanceCheckpoints(trx, current, moves)
  return moves.map(({ claim: { shard }, position, events }) => ({ shard, position, events }))
}

/**
 * Claims for the projections whose rows this version of their rules has folded. Nearly always these are all, and the
 * claim itself shows it; near the end of the log the statements of a step are most of its cost.
 */
async function claimCurrent (trx: Trx, projections: readonly Projection[], plan: StepPlan): Promise<{ current: readonly Projection[], claims: Claim[] }> {
  const claims = await claimLagging(trx, projections, plan)
  if (claims.length > 0 && claims.every(({ positions }) => positions.size === projections.length)) return { current: projections, claims }
  const current = await currentOf(trx, projections)
  return { current, claims: current.length === projections.length ? claims : await claimLagging(trx, current, plan) }
}

/** Claims all shards that one batch has room for, or the least recently updated one. */
async function claimLagging (trx: Trx, projections: readonly Projection[], { joint = false, batch, ...among }: StepPlan): Promise<Claim[]> {
  if (projections.length === 0) return []
  const several = joint ? await claimShards(trx, projections, { ...among, events: batch }) : []
  const claims = several.length > 0 ? several : await claimShards(trx, projections, among)
  // Another worker may have moved a checkpoint after this statement saw it and before it locked it.
  return claims.filter(({ head, positions }) => leastPosition(positions, projections) < head)
}

async function factsToFold (trx: Trx, projection: Projection, batches: readonly Batch[], holding: boolean): Promise<Placed[]> {
  const facts: Placed[] = []
  for (const { claim: { shard, positions }, events } of batches) {
    const position = positions.get(projection.name) ?? 0n
    const unseen = events.filter(({ event }) => event.position > position)
    for (const fact of holding ? await holdBack(trx, projection, shard, unseen) : factsFor(projection, unseen)) facts.push(fact)
  }
  return facts
}

async function foldAll (trx: Trx, projection: Projection, _shard: number, facts: readonly Placed[]): Promise<void> {
  await projection.apply(trx, facts.map(({ observed }) => observed))
}

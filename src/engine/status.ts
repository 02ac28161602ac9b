import type { Instant } from '../ledger/instant.ts'
import type { Db } from '../postgres/database.ts'
import { CONTRADICTS_MOVEMENT } from '../ingest/quarantine/quarantine.sql.ts'
import { readLedgerState, type OpenReason, type ProjectionState, type UnreadType, type RebuildState, type ReconciliationState, type LedgerState } from './status.sql.ts'
import { describeOutdated, outdatedOf, type Outdated } from './rebuild/versions.ts'
import type { Projection } from './projection.ts'
import type { WorkerHealth } from './worker.ts'

/** A problem that needs action. */
export interface Attention {
  code: 'parked' | 'outdated' | 'lagging' | 'log_gap' | 'worker_ended' | 'reconcile_old' | 'reconcile_differs' | 'dated_ahead'
  detail: string
}

export interface ProjectionStatus {
  name: string
  version: number | null
  code_version: number
  outdated: boolean
  lag_events: bigint
  lag_seconds: number | null
  parked: number
  oldest_parked_at: Instant | null
}

export interface ShardStatus { shard: number, head: bigint, chain: string, newest_recorded_at: Instant | null }

/** The state of the ledger, for people and programs. */
export interface LedgerStatus {
  as_of: Instant
  attention: Attention[]
  projections: ProjectionStatus[]
  rebuild: RebuildState[]
  quarantine: { open: number, conflicts: number, reasons: OpenReason[] }
  /** Types of which events are stored and not read, the most frequent first. */
  unread: UnreadType[]
  log: { events: bigint, newest_recorded_at: Instant | null, silence_seconds: number | null, shards: ShardStatus[] }
  /** How the ledger last asked each provider; empty where it never did. */
  reconciliations: ReconciliationState[]
  worker: Omit<WorkerHealth, 'outdated' | 'waiting'> & { waiting: string | null } | null
}

/** A worker rests for at most this long, so a projection that lags by more needs action. */
export const LAG_LIMIT_SECONDS = 60

/**
 * Reads the state of the ledger.
 * @param worker the health of this process's worker, if it has one
 */
export async function readStatus (db: Db, projections: readonly Projection[], worker: WorkerHealth | undefined): Promise<LedgerStatus> {
  return statusOf(await readLedgerState(db, projections.map(({ name }) => name)), projections, worker)
}

/** Derives the status from rows that were read, for this version of the rules. */
export function statusOf (state: LedgerState, projections: readonly Projection[], worker: WorkerHealth | undefined): LedgerStatus {
  const { as_of, rebuild, quarantine } = state
  const outdated = outdatedAmong(state, projections)
  const live = projections.map(projection => projectionStatus(projection, state, outdated))
  return {
    as_of,
    attention: [...attentionFor(live, outdated, state), ...state.reconciliations.flatMap(one => reconcileAttention(one, as_of)), ...workerAttention(worker)],
    projections: live,
    rebuild,
    quarantine: {
      open: countOf(quarantine),
      conflicts: countOf(quarantine.filter(({ reason }) => CONFLICTS.has(reason))),
      reasons: quarantine
    },
    unread: state.unread,
    log: logStatus(state),
    reconciliations: state.reconciliations,
    worker: worker === undefined ? null : { alive: worker.alive, waiting: worker.waiting ?? null, resting: worker.resting }
  }
}

const CONFLICTS = new Set(['conflict', CONTRADICTS_MOVEMENT])

function countOf (reasons: readonly OpenReason[]): number {
  return reasons.reduce((sum, { open }) => sum + open, 0)
}

/**
 * Projections without live rows are outdated, unless the ledger is new: then a worker creates them when it starts. On
 * any other ledger they must be rebuilt.
 */
function outdatedAmong ({ projections: states, shards }: LedgerState, projections: readonly Projection[]): Outdated[] {
  const versions = new Map(states.flatMap(({ name, version }) => version === null ? [] : [[name, version]]))
  const fresh = versions.size === 0 || shards.every(({ head }) => head === 0n)
  return outdatedOf(projections, versions).filter(({ live }) => live !== undefined || !fresh)
}

function projectionStatus ({ name, version: code_version }: Projection, { as_of, projections }: LedgerState, outdated: readonly Outdated[]): ProjectionStatus {
  const { version, lag_events, oldest_lacking_at, parked, oldest_parked_at } = stateOf(name, projections)
  return {
    name,
    version,
    code_version,
    outdated: outdated.some(one => one.name === name),
    lag_events,
    lag_seconds: lag_events === 0n ? 0 : secondsBetween(oldest_lacking_at, as_of),
    parked,
    oldest_parked_at
  }
}

function stateOf (name: string, states: readonly ProjectionState[]): ProjectionState {
  const found = states.find(state => state.name === name)
  if (found === undefined) throw new Error(`the status of projection ${name} was not read`)
  return found
}

function logStatus ({ as_of, shards }: LedgerState): LedgerStatus['log'] {
  const newest = shards.reduce<Instant | null>((latest, { newest_at }) => newest_at !== null && (latest === null || newest_at > latest) ? newest_at : latest, null)
  return {
    events: shards.reduce((sum, { head }) => sum + head, 0n),
    newest_recorded_at: newest,
    silence_seconds: secondsBetween(newest, as_of),
    shards: shards.map(({ shard, head, chain, newest_at }) => ({ shard, head, chain: chain.toString('hex'), newest_recorded_at: newest_at }))
  }
}

/** To the millisecond. Never negative, even if the database's clock was set back. */
function secondsBetween (from: Instant | null, to: Instant): number | null {
  return from === null ? null : Math.max(Date.parse(to) - Date.parse(from), 0) / 1000
}

function attentionFor (live: readonly ProjectionStatus[], outdated: readonly Outdated[], { projections: states, ahead }: LedgerState): Attention[] {
  const late = live.filter(one => !one.outdated && (one.lag_seconds ?? 0) > LAG_LIMIT_SECONDS)
  const missing = [...new Set(states.flatMap(one => one.missing))]
  return [
    ...live.filter(({ parked }) => parked > 0).map(({ name, parked, oldest_parked_at }): Attention => ({
      code: 'parked',
      detail: `${parked === 1 ? `1 key of ${name} is parked` : `${parked} keys of ${name} are parked, the first`} since ${oldest_parked_at}: an event could not be folded. \`loyalty-ledger parked list\` says which and why`
    })),
    ...(outdated.length === 0 ? [] : [{ code: 'outdated' as const, detail: describeOutdated(outdated) }]),
    ...(late.length === 0 ? [] : [{ code: 'lagging' as const, detail: `${late.map(lateness).join('; ')}. Check /readyz and the workers' log: perhaps no worker is running, or a shard keeps failing` }]),
    ...(missing.length === 0 ? [] : [{ code: 'log_gap' as const, detail: `the log lacks ${missing.join(', ')}, and no later event of the shard is projected. The database is damaged: \`loyalty-ledger verify\` lists the damage; restore the missing events from a backup` }]),
    ...(ahead === 0 ? [] : [{ code: 'dated_ahead' as const, detail: `${ahead} event(s) of the last 7 days are dated more than a day after they were stored. They count from when they were stored: check the time settings of whatever sent them` }])
  ]
}

function lateness ({ name, lag_events, lag_seconds }: ProjectionStatus): string {
  return `${name} is behind by ${lag_events} event(s), the oldest stored ${Math.floor(lag_seconds ?? 0)} s ago`
}

/** Who once reconciles relies on it: then it must not end in silence. */
const RECONCILE_LIMIT_SECONDS = 48 * 3600

function reconcileAttention (last: ReconciliationState, as_of: Instant): Attention[] {
  const { provider, state, ended_by, detail, first_started_at, finished_at, cards_different } = last
  const age_seconds = secondsBetween(finished_at ?? first_started_at, as_of) ?? 0
  const different = cards_different ?? 0n
  const why = state === 'stopped' ? ` The last run stopped (${ended_by}): ${detail}` : ' Run `loyalty-ledger reconcile`, or set RECONCILE_EVERY_MINUTES'
  return [
    ...(age_seconds <= RECONCILE_LIMIT_SECONDS ? [] : [{ code: 'reconcile_old' as const, detail: `no reconciliation with ${provider} has finished for ${Math.floor(age_seconds / 3600)} h.${why}` }]),
    ...(different === 0n ? [] : [{ code: 'reconcile_differs' as const, detail: `${different === 1n ? '1 card is' : `${different} cards are`} not as ${provider} states, by the reconciliation of ${finished_at}: \`select differences from reporting.reconciliations\` says which and why` }])
  ]
}

function workerAttention (worker: WorkerHealth | undefined): Attention[] {
  return worker?.alive === false ? [{ code: 'worker_ended', detail: 'the worker of this process has ended: restart the process' }] : []
}

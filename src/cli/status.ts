import type { Config } from '../config.ts'
import { projections } from '../projections/index.ts'
import { readStatus, type LedgerStatus } from '../engine/status.ts'
import { withLedger } from '../app/open.ts'
import { writeResult, table, type Output } from '../app/output.ts'

/** `status`: the lag of the projections, parked keys, open quarantine rows, and the heads of the log. */
export async function statusCommand (config: Config, output: Output): Promise<void> {
  const status = await withLedger(config, async db => await readStatus(db, projections, undefined), { readOnly: true })
  writeResult(output, status, shown(status))
  if (status.attention.length > 0) process.exitCode = 1
}

function shown (status: LedgerStatus): string {
  return [
    `${logLine(status)}\n${quarantineLine(status)}`,
    projectionTable(status),
    ...status.reconciliations.map(reconciliationLine),
    ...status.rebuild.map(({ name, version, lag_events }) => `Being rebuilt: ${name}, version ${version}; ${lag_events} event(s) to fold.`),
    ...(status.unread.length > 0 ? [unreadTable(status)] : []),
    ...(status.log.events > 0n ? [shardTable(status)] : []),
    status.attention.length === 0 ? 'No action needed.' : `Action needed:\n${status.attention.map(({ code, detail }) => `  ${code}: ${detail}.`).join('\n')}`
  ].join('\n\n')
}

function logLine ({ log }: LedgerStatus): string {
  if (log.newest_recorded_at === null) return 'No event is stored yet.'
  return `${log.events} event(s) stored, the newest ${seconds(log.silence_seconds)} ago, at ${log.newest_recorded_at}.`
}

function quarantineLine ({ quarantine: { open, conflicts, reasons } }: LedgerStatus): string {
  if (open === 0) return 'Quarantine has no open rows.'
  return `${open} open in quarantine (${reasons.map(({ reason, open }) => `${reason} ${open}`).join(', ')})${conflicts > 0 ? `; ${conflicts} of them need a decision` : ''}.`
}

function reconciliationLine ({ provider, state, finished_at, cards_compared, cards_healed, cards_different }: LedgerStatus['reconciliations'][number]): string {
  const last = finished_at === null ? 'never finished' : `last finished at ${finished_at}: ${cards_compared} cards compared, ${cards_healed} healed, ${cards_different} different`
  return `Reconciling with ${provider}: ${last}${state === 'finished' ? '' : `; the newest run is ${state}`}.`
}

function projectionTable ({ projections }: LedgerStatus): string {
  return table(['projection', 'version', 'lag_events', 'lag', 'parked', 'oldest_parked_at'], projections.map(one => [
    one.name,
    one.outdated ? `${one.version ?? '-'}, code ${one.code_version}` : String(one.version ?? '-'),
    String(one.lag_events), one.lag_events === 0n ? '-' : seconds(one.lag_seconds),
    String(one.parked), one.oldest_parked_at ?? '-'
  ]))
}

/** What is stored and waits for a version that reads it. */
function unreadTable ({ unread }: LedgerStatus): string {
  return table(['stored, not read', 'events'], unread.map(({ type, events }) => [type, String(events)]))
}

/** Shows the beginning of each chain value, to fit a terminal; --json prints all of it. */
function shardTable ({ log }: LedgerStatus): string {
  return table(['shard', 'head', 'newest_recorded_at', 'chain'], log.shards.filter(({ head }) => head > 0n).map(({ shard, head, newest_recorded_at, chain }) => [
    String(shard), String(head), newest_recorded_at ?? 'missing', `${chain.slice(0, 16)}…`
  ]))
}

function seconds (value: number | null): string {
  return value === null ? 'unknown' : `${Math.round(value)} s`
}

import type { Config } from '../config.ts'
import { projections } from '../projections/index.ts'
import { readStatus, type LedgerStatus } from '../engine/status.ts'
import { withLedger } from '../app/open.ts'
import { say, table, type Output } from '../app/output.ts'

/** `status`: how far the projections are, what stands still, what waits in quarantine, and the heads of the log. */
export async function statusCommand (config: Config, output: Output): Promise<void> {
  const status = await withLedger(config, async db => await readStatus(db, projections, undefined), { readOnly: true })
  say(output, status, shown(status))
  if (status.attention.length > 0) process.exitCode = 1
}

function shown (status: LedgerStatus): string {
  return [
    `${logLine(status)}\n${quarantineLine(status)}`,
    projectionTable(status),
    ...status.rebuild.map(({ name, version, lag_events }) => `Being rebuilt: ${name}, version ${version}; ${lag_events} event(s) to fold.`),
    ...(status.log.events > 0n ? [shardTable(status)] : []),
    status.attention.length === 0 ? 'Nothing needs a person.' : `To look at:\n${status.attention.map(({ code, detail }) => `  ${code}: ${detail}.`).join('\n')}`
  ].join('\n\n')
}

function logLine ({ log }: LedgerStatus): string {
  if (log.newest_recorded_at === null) return 'No event is stored yet.'
  return `${log.events} event(s) stored, the newest ${seconds(log.silence_seconds)} ago, at ${log.newest_recorded_at}.`
}

function quarantineLine ({ quarantine: { open, conflicts, reasons } }: LedgerStatus): string {
  if (open === 0) return 'Nothing open is in quarantine.'
  return `${open} open in quarantine (${reasons.map(({ reason, open }) => `${reason} ${open}`).join(', ')})${conflicts > 0 ? `; ${conflicts} of them for a person to decide` : ''}.`
}

function projectionTable ({ projections }: LedgerStatus): string {
  return table(['projection', 'version', 'lag_events', 'lag', 'parked', 'oldest_parked_at'], projections.map(one => [
    one.name,
    one.outdated ? `${one.version ?? '-'}, code ${one.code_version}` : String(one.version ?? '-'),
    String(one.lag_events), one.lag_events === 0n ? '-' : seconds(one.lag_seconds),
    String(one.parked), one.oldest_parked_at ?? '-'
  ]))
}

/** A chain by its beginning, as wide as a terminal allows; --json has the whole of it. */
function shardTable ({ log }: LedgerStatus): string {
  return table(['shard', 'head', 'newest_recorded_at', 'chain'], log.shards.filter(({ head }) => head > 0n).map(({ shard, head, newest_recorded_at, chain }) => [
    String(shard), String(head), newest_recorded_at ?? 'missing', `${chain.slice(0, 16)}…`
  ]))
}

function seconds (value: number | null): string {
  return value === null ? 'unknown' : `${Math.round(value)} s`
}

import { readFile } from 'node:fs/promises'
import { readCheckpoint, type Checkpoint } from '../audit/checkpoint.ts'
import { verifyLog } from '../audit/log.ts'
import type { Found } from '../audit/finding.ts'
import type { Config } from '../config.ts'
import type { Db } from '../store/database.ts'
import { trustedKey } from './checkpoint-keys.ts'
import { CommandError } from './errors.ts'
import { withReading } from './open.ts'
import { say, type Output } from './output.ts'
import { showProgress, type Progress } from './progress.ts'
import { describeFindings, listFindings, type Listed } from './verify-findings.ts'

export interface VerifyOptions { against?: string, limit: number }

/** What a check is given. */
interface Audit {
  db: Db
  against: Checkpoint | undefined
  found: Found
  /** Shows a bar over so many things, until the next one. */
  progress: (what: string, total: number) => Progress
}

/** One thing that is verified: what it looked at, in numbers, and as a line for people. */
interface Check {
  name: string
  run: (audit: Audit) => Promise<{ counts: object, line: string }>
}

const log: Check = {
  name: 'log',
  async run ({ db, against, found, progress }) {
    let bar: Progress | undefined
    const began = performance.now()
    const counts = await verifyLog(db, {
      against,
      found,
      begins: total => { bar = progress('verifying the log', total) },
      progress: events => bar?.add(events)
    })
    const seconds = (performance.now() - began) / 1000
    const events_per_second = Math.round(counts.events / seconds)
    const asides = [
      ...(counts.erased > 0 ? [`${counts.erased} erased`] : []),
      ...(counts.unread > 0 ? [`${counts.unread} named as before their type was read`] : [])
    ]
    return {
      counts: { ...counts, seconds: Math.round(seconds * 1000) / 1000, events_per_second },
      line: `log: ${counts.events} events in ${counts.shards} shards${asides.map(aside => `, ${aside}`).join('')}; ${seconds.toFixed(1)} s, ${events_per_second} events/s`
    }
  }
}

/** In the order in which they run: what comes later may rely on what came before. */
const checks: readonly Check[] = [log]

/**
 * `verify`: recomputes what is stored and names every difference. The exit status is 1 when there are any; when it could not
 * be verified the command fails, with another.
 * @throws CommandError file_unreadable, and what `trustedKey` says; CheckpointError
 */
export async function verifyCommand (config: Config, output: Output, options: VerifyOptions): Promise<void> {
  const against = options.against === undefined ? undefined : await trustedCheckpoint(config, options.against)
  const findings = listFindings(options.limit)
  const results = await withReading(config, async ({ db }) => await runChecks({ db, against, found: findings.found }, output))
  const { total } = findings
  say(output, {
    clean: total === 0,
    ...Object.fromEntries(results.map(({ name, counts }) => [name, counts])),
    against: against === undefined ? null : { file: options.against, made_at: against.made_at, events: Number(against.events) },
    differences: total,
    by_code: findings.byCode(),
    findings: findings.items
  }, describe(results.map(({ line }) => line), against, findings))
  if (total > 0) process.exitCode = 1
}

async function runChecks (audit: Omit<Audit, 'progress'>, output: Output): Promise<Array<{ name: string, counts: object, line: string }>> {
  const results = []
  for (const { name, run } of checks) {
    let bar: Progress | undefined
    try {
      results.push({ name, ...await run({ ...audit, progress: (what, total) => { bar?.stop(); bar = showProgress(what, total, output.json); return bar } }) })
    } finally {
      bar?.stop()
    }
  }
  return results
}

async function trustedCheckpoint (config: Config, file: string): Promise<Checkpoint> {
  const key = await trustedKey(config)
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new CommandError('file_unreadable', `The checkpoint ${file} cannot be read: ${(cause as Error).message}.`, { cause })
  })
  return readCheckpoint(text, key)
}

function describe (lines: readonly string[], against: Checkpoint | undefined, findings: Listed): string {
  const clean = findings.total === 0
  return [
    ...lines,
    ...(clean ? ['No difference: positions have no gaps, and digests, chains, heads and columns recompute from the rows.'] : describeFindings(findings)),
    ...(against === undefined
      ? ['Without --against this cannot show a tail that was cut off with its head, or a chain rewritten to its head: compare with a signed checkpoint.']
      : clean ? [`The log extends the checkpoint of ${against.made_at}: its ${against.events} events stand as they stood then.`] : [])
  ].join('\n')
}

import { readFile } from 'node:fs/promises'
import { readAnchor, type Anchor } from '../audit/anchor.ts'
import type { Config } from '../config.ts'
import { trustedKey } from './support/anchor-keys.ts'
import { CommandError } from '../app/errors.ts'
import { withLedger } from '../app/open.ts'
import { writeResult, type Output } from '../app/output.ts'
import { showProgress, type Progress } from './support/progress.ts'
import type { Audit, Check } from './support/check.ts'
import { describeFindings, listFindings, type Listed } from './support/findings.ts'
import { log } from './support/check-log.ts'
import { folded } from './support/check-projections.ts'

export interface VerifyOptions { against?: string, limit: number, only?: Check['name'] }

/** In the order in which they run: what comes later may rely on what came before. */
const checks: readonly Check[] = [log, folded]

/**
 * `verify`: recomputes what is stored and names every difference. The exit status is 1 when there are any; when it
 * could not be verified the command fails, with another.
 * @throws CommandError file_unreadable, and what `trustedKey` says; AnchorError
 */
export async function verifyCommand (config: Config, output: Output, options: VerifyOptions): Promise<void> {
  const against = options.against === undefined ? undefined : await trustedAnchor(config, options.against)
  const findings = listFindings(options.limit)
  const results = await withLedger(config, async db => await runChecks({ db, config, limit: options.limit, against, found: findings.found, foundMore: findings.foundMore }, options.only, output), { readOnly: true })
  const { total } = findings
  writeResult(output, {
    clean: total === 0,
    ...Object.fromEntries(results.map(({ name, counts }) => [name, counts])),
    against: against === undefined ? null : { file: options.against, made_at: against.made_at, events: Number(against.events) },
    differences: total,
    by_code: findings.byCode(),
    findings: findings.items
  }, describe(results, against, findings))
  if (total > 0) process.exitCode = 1
}

async function runChecks (audit: Omit<Audit, 'progress'>, only: Check['name'] | undefined, output: Output): Promise<Array<{ name: Check['name'], counts: object, line: string }>> {
  const results = []
  for (const { name, run } of checks.filter(check => only === undefined || check.name === only)) {
    let bar: Progress | undefined
    try {
      results.push({ name, ...await run({ ...audit, progress: (what, total) => { bar?.stop(); bar = showProgress(what, total, output.json, { unit: 'events' }); return bar } }) })
    } finally {
      bar?.stop()
    }
  }
  return results
}

async function trustedAnchor (config: Config, file: string): Promise<Anchor> {
  const key = await trustedKey(config)
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new CommandError('file_unreadable', `The anchor ${file} cannot be read: ${(cause as Error).message}.`, { cause })
  })
  return readAnchor(text, key)
}

function describe (results: ReadonlyArray<{ name: Check['name'], line: string }>, against: Anchor | undefined, findings: Listed): string {
  const clean = findings.total === 0
  return [
    ...results.map(({ line }) => line),
    ...(clean ? [clearance(results.map(({ name }) => name))] : describeFindings(findings)),
    ...(against === undefined
      ? ['Without --against this cannot show a tail that was cut off with its head, or a chain rewritten to its head: compare with a signed anchor.']
      : clean ? [`The log extends the anchor of ${against.made_at}: its ${against.events} events stand as they stood then.`] : [])
  ].join('\n')
}

function clearance (names: ReadonlyArray<Check['name']>): string {
  const shown = {
    log: 'positions have no gaps, and digests, chains, heads and columns recompute from the rows',
    projections: 'every projection is the fold of the events up to its checkpoint'
  }
  return `No difference: ${names.map(name => shown[name]).join('; ')}.`
}

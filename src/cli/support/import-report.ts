import { noCounts, OUTCOMES, type Counts, type Remark, type ImportTally } from '../../transfer/import/tally.ts'
import type { Lagging } from '../../engine/catch-up.ts'
import { CommandError, explain } from '../../app/errors.ts'
import { writeResult, table, type Output } from '../../app/output.ts'

/** Limit on listed remarks; the rest is only counted. Otherwise a bad file would fill the memory. */
const LISTED_REMARKS = 50

/** The report of an import: how many rows had which outcome, and which ones need attention. */
export interface Report {
  tallyOf: (file: string, progress: ImportTally['progress']) => ImportTally
  /** Reports shards that were not fully projected when the import began. */
  lagBefore: (lagging: readonly Lagging[]) => void
  /** Reports shards whose stored events are not projected yet. */
  lagAfter: (lagging: readonly Lagging[]) => void
  /** @throws CommandError lines_bad if there was a line that cannot be read */
  refuseBad: () => void
  /**
   * Reports the counts so far when an error ends the import.
   * @throws CommandError with the message of the error and what to do next
   */
  breakOff: (error: unknown) => never
  /**
   * Reports the counts.
   * @throws CommandError import_incomplete if there are bad lines or conflicts
   */
  conclude: () => void
}

export function createReport (output: Output, { dryRun }: { dryRun: boolean }): Report {
  const counts = noCounts()
  const listed: Array<Remark & { file: string }> = []
  const warnings: string[] = []
  let remarks = 0
  let begun = false
  let lagging: readonly Lagging[] = []

  function remarksText (): string {
    const lines = listed.map(({ file, line, what, reason }) => `${file}:${line}: ${what}: ${reason}`)
    return [...lines, ...(remarks > listed.length ? [`… and ${remarks - listed.length} more`] : [])].join('\n')
  }

  function reportCounts (): void {
    const text = [
      table(OUTCOMES, [OUTCOMES.map(outcome => String(counts[outcome]))]),
      dryRun ? `Dry run: nothing was written. ${counts.stored} event(s) would be stored.` : `${counts.stored} event(s) stored.`,
      ...(counts.to_the_second > 0 ? [cutTimesText(counts.to_the_second)] : []),
      ...(counts.unknown_type > 0 ? [unknownTypeText(counts.unknown_type)] : []),
      ...kindsText(counts.kinds),
      ...(counts.set_aside > 0 ? [`${counts.set_aside} row(s) set aside: they do not say which movement they are, and would count twice.`] : []),
      ...warnings.map(warning => `Warning: ${warning}`),
      ...(remarks > 0 ? [remarksText()] : [])
    ].join('\n')
    const left = { remarks: listed, remarks_total: remarks, remarks_left_out: remarks - listed.length }
    writeResult(output, { ...counts, dry_run: dryRun, lagging: lagging.map(plain), warnings, ...left }, text)
  }

  return {
    tallyOf (file, progress) {
      begun = true
      return {
        counts,
        progress,
        warn (warning) { warnings.push(`${file}: ${warning}`) },
        remark (remark) {
          remarks++
          if (listed.length < LISTED_REMARKS) listed.push({ file, ...remark })
        }
      }
    },
    lagBefore (shards) {
      lagging = shards
      if (shards.length > 0) output.progress(`${lagText(shards)} Rows that events not projected yet already report count as new. Running the import again later corrects that.`)
    },
    lagAfter (shards) {
      lagging = shards
      if (shards.length > 0) output.progress(`${lagText(shards)} The imported events are stored; balances change once they are projected.`)
    },
    refuseBad () {
      if (counts.bad > 0) throw new CommandError('lines_bad', `Nothing was imported: ${counts.bad} line(s) cannot be read.\n${remarksText()}\nCorrect them, or skip them with --skip-bad.`)
    },
    breakOff (error) {
      // No file was begun, so there is nothing to add to the error.
      if (!begun) throw error
      reportCounts()
      const { code, message } = explain(error)
      const next = dryRun ? 'Run it again.' : 'Run it again: stored events stay stored, and the rest is imported.'
      throw new CommandError(code, `The ${dryRun ? 'dry run' : 'import'} was interrupted: ${message.replace(/\.?$/, '.')} ${next}`, { cause: error })
    },
    conclude () {
      reportCounts()
      const aside = counts.conflict + counts.set_aside
      const waiting = aside > 0 && !dryRun ? ' What contradicts or was set aside is in quarantine: `npx loyalty-ledger quarantine list`.' : ''
      const without = counts.set_aside > 0 ? `, ${counts.set_aside} do not say which movement they are` : ''
      if (remarks > 0) throw new CommandError('import_incomplete', `${counts.bad} line(s) cannot be read and ${counts.conflict} contradict stored events${without}.${waiting}`)
    }
  }
}

/** What was read, by kind. */
function kindsText (kinds: Counts['kinds']): string[] {
  return Object.entries(kinds).map(([kind, outcomes]) => {
    const read = Object.values(outcomes).reduce((sum, count) => sum + count, 0)
    const parts = Object.entries(outcomes).filter(([, count]) => count > 0).map(([outcome, count]) => `${count} ${outcome.replace('_', ' ')}`)
    return `Read ${read} ${kind}: ${parts.join(', ')}.`
  })
}

function unknownTypeText (rows: number): string {
  return `${rows} of them ${rows === 1 ? 'is a row' : 'are rows'} of a type that this version does not know: their balances are read, and no movement.`
}

function cutTimesText (rows: number): string {
  return `${rows} of them state${rows === 1 ? 's its time' : ' their times'} to the second only. If a card has several movements in such a second, their order can be wrong; that shows as unexplained points that cancel out.`
}

function plain ({ position, head, ...lagging }: Lagging): object {
  return { ...lagging, position: String(position), head: String(head) }
}

function lagText (shards: readonly Lagging[]): string {
  const described = shards.map(({ shard, position, head, cause }) => `${shard} (at ${position} of ${head}${cause === undefined ? '' : `: ${cause}`})`)
  return `The projections lag in ${shards.length} shard${shards.length === 1 ? '' : 's'}: ${described.join(', ')}.`
}

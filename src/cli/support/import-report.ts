import { noCounts, OUTCOMES, type Remark, type ImportTally } from '../../transfer/import/tally.ts'
import type { Lagging } from '../../engine/catch-up.ts'
import { CommandError, explain } from '../../app/errors.ts'
import { say, table, type Output } from '../../app/output.ts'

/** Remarks that are listed; the rest is counted, or a bad file would fill the memory. */
const LISTED_REMARKS = 50

/** What an import tells a person: how many rows came to what, and what to look at. */
export interface Report {
  tallyOf: (file: string, progress: ImportTally['progress']) => ImportTally
  /** What was not projected when the import began. */
  lagBefore: (lagging: readonly Lagging[]) => void
  /** What was stored and is not projected yet. */
  lagAfter: (lagging: readonly Lagging[]) => void
  /** @throws CommandError lines_bad where there was a line that cannot be read */
  refuseBad: () => void
  /**
   * Says what is done where the rest could not be.
   * @throws what ended the import, with what to do next
   */
  breakOff: (error: unknown) => never
  /**
   * Says the counts.
   * @throws CommandError import_incomplete where a person must look at something
   */
  conclude: () => void
}

export function createReport (output: Output, { dryRun }: { dryRun: boolean }): Report {
  const counts = noCounts()
  const listed: Array<Remark & { file: string }> = []
  let remarks = 0
  let begun = false
  let lagging: readonly Lagging[] = []

  function remarksText (): string {
    const lines = listed.map(({ file, line, what, reason }) => `${file}:${line}: ${what}: ${reason}`)
    return [...lines, ...(remarks > listed.length ? [`… and ${remarks - listed.length} more`] : [])].join('\n')
  }

  function sayCounts (): void {
    const text = [
      table(OUTCOMES, [OUTCOMES.map(outcome => String(counts[outcome]))]),
      dryRun ? `A rehearsal: nothing was written. ${counts.stored} event(s) would be stored.` : `${counts.stored} event(s) stored.`,
      ...(counts.to_the_second > 0 ? [cutTimesText(counts.to_the_second)] : []),
      ...(remarks > 0 ? [remarksText()] : [])
    ].join('\n')
    const left = { remarks: listed, remarks_total: remarks, remarks_left_out: remarks - listed.length }
    say(output, { ...counts, dry_run: dryRun, lagging: lagging.map(plain), ...left }, text)
  }

  return {
    tallyOf (file, progress) {
      begun = true
      return {
        counts,
        progress,
        remark (remark) {
          remarks++
          if (listed.length < LISTED_REMARKS) listed.push({ file, ...remark })
        }
      }
    },
    lagBefore (shards) {
      lagging = shards
      if (shards.length > 0) output.progress(`${lagText(shards)} Rows that are told already by events not projected yet count as new; running the import again sets that right.`)
    },
    lagAfter (shards) {
      lagging = shards
      if (shards.length > 0) output.progress(`${lagText(shards)} What is stored is stored; balances follow when they can be projected.`)
    },
    refuseBad () {
      if (counts.bad > 0) throw new CommandError('lines_bad', `Nothing was imported: ${counts.bad} line(s) cannot be read.\n${remarksText()}\nMend them, or leave them out with --skip-bad.`)
    },
    breakOff (error) {
      // Nothing was begun: what stopped it says all.
      if (!begun) throw error
      sayCounts()
      const { code, message } = explain(error)
      const next = dryRun ? 'Run it again.' : 'Run it again: what is stored is stored, and the rest follows.'
      throw new CommandError(code, `The ${dryRun ? 'rehearsal' : 'import'} broke off: ${message.replace(/\.?$/, '.')} ${next}`, { cause: error })
    },
    conclude () {
      sayCounts()
      const conflicts = counts.conflict > 0 && !dryRun ? ' The contradicting ones wait in quarantine: `npx loyalty-ledger quarantine list`.' : ''
      if (remarks > 0) throw new CommandError('import_incomplete', `${counts.bad} line(s) are bad and ${counts.conflict} contradict what is stored.${conflicts}`)
    }
  }
}

function cutTimesText (rows: number): string {
  return `${rows} of them tell${rows === 1 ? 's its time' : ' their times'} to the second only: where a card moved more than once in such a second, the order there can be wrong, and show as unexplained points that cancel out.`
}

function plain ({ position, head, ...lagging }: Lagging): object {
  return { ...lagging, position: String(position), head: String(head) }
}

function lagText (shards: readonly Lagging[]): string {
  const told = shards.map(({ shard, position, head, cause }) => `${shard} (at ${position} of ${head}${cause === undefined ? '' : `: ${cause}`})`)
  return `The projections lag in ${shards.length} shard${shards.length === 1 ? '' : 's'}: ${told.join(', ')}.`
}

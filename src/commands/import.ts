import { open, stat } from 'node:fs/promises'
import type { Config } from '../config.ts'
import { csvEntries } from '../imports/csv.ts'
import type { Entry } from '../imports/entry.ts'
import { checkEntries, importEntries } from '../imports/import.ts'
import { ndjsonEntries } from '../imports/ndjson.ts'
import { rehearsing, storing } from '../imports/sink.ts'
import { noCounts, OUTCOMES, type Counts, type Remark } from '../imports/tally.ts'
import type { Intake } from '../intake/settle.ts'
import { catchUp } from '../projections/catch-up.ts'
import { projections } from '../projections/index.ts'
import { CommandError } from './errors.ts'
import { withIntake } from './open.ts'
import { say, table, type Output } from './output.ts'
import { showProgress, type Progress } from './progress.ts'

export interface ImportOptions { dryRun: boolean, skipBad: boolean }

interface Source { file: string, bytes: number, entries: () => AsyncIterable<Entry> }
interface FileRemark extends Remark { file: string }

/** Remarks that are listed; the rest is counted, or a bad file would fill the memory. */
const LISTED_REMARKS = 50
const CATCH_UP_MS = 60_000

/**
 * `import FILE…`: takes in exports of the provider and files of deliveries. Files that hold a line that cannot be read are
 * refused before anything is written, unless told to skip such lines; running it again is always safe.
 */
export async function importCommand (config: Config, output: Output, files: readonly string[], options: ImportOptions): Promise<void> {
  const sources = await Promise.all(files.map(async file => await openSource(file, config)))
  const bytes = sources.reduce((sum, source) => sum + source.bytes, 0)
  const quiet = output.json
  const remarks = new Remarks()
  if (!options.dryRun && !options.skipBad) {
    await withProgress(showProgress('checking', bytes, quiet), async progress => { await check(sources, remarks, progress) })
  }
  const counts = await withIntake(config, async intake => {
    await bringUpToDate(intake, config, output)
    const total = await withProgress(showProgress(options.dryRun ? 'rehearsing' : 'importing', bytes, quiet), async progress =>
      await importAll(sources, intake, options, remarks, progress))
    if (!options.dryRun) await bringUpToDate(intake, config, output)
    return total
  })
  report(output, counts, remarks, options)
}

async function openSource (file: string, config: Config): Promise<Source> {
  try {
    const { size } = await stat(file)
    return { file, bytes: size, entries: await isCsv(file) ? () => csvEntries(file) : () => ndjsonEntries(file, config.BODY_LIMIT_BYTES) }
  } catch (error) {
    throw new CommandError('file_unreadable', `${file} cannot be read: ${(error as Error).message}.`, { cause: error })
  }
}

/** A delivery begins with a brace; whatever else begins a file is the head of a table. */
async function isCsv (file: string): Promise<boolean> {
  const handle = await open(file)
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(4096), 0, 4096, 0)
    return !buffer.subarray(0, bytesRead).toString().replace(/^\ufeff/, '').trimStart().startsWith('{')
  } finally {
    await handle.close()
  }
}

async function check (sources: readonly Source[], remarks: Remarks, progress: Progress): Promise<void> {
  for (const { file, entries } of sources) await checkEntries(entries(), { counts: noCounts(), remark: remark => { remarks.add({ ...remark, file }) }, progress: progress.add })
  if (remarks.total > 0) {
    throw new CommandError('lines_bad', `Nothing was imported: ${remarks.total} line(s) cannot be read.\n${remarks.text()}\nMend them, or leave them out with --skip-bad.`)
  }
}

async function importAll (sources: readonly Source[], intake: Intake, options: ImportOptions, remarks: Remarks, progress: Progress): Promise<Counts> {
  const sink = options.dryRun ? rehearsing(intake) : storing(intake)
  const counts = noCounts()
  for (const { file, entries } of sources) {
    await importEntries(entries(), sink, { counts, remark: remark => { remarks.add({ ...remark, file }) }, progress: progress.add })
  }
  return counts
}

/** What is known decides what is new: first everything that is stored must have been projected. */
async function bringUpToDate ({ db }: Intake, config: Config, output: Output): Promise<void> {
  const done = await catchUp(db, projections, { batch: config.PROJECTION_BATCH_EVENTS, wait_ms: CATCH_UP_MS })
  if (!done) output.progress('The projections lag behind what is stored. Rows told by events that are not projected yet count as new; running the import again sets that right.')
}

async function withProgress<T> (progress: Progress, action: (progress: Progress) => Promise<T>): Promise<T> {
  try {
    return await action(progress)
  } finally {
    progress.stop()
  }
}

function report (output: Output, counts: Counts, remarks: Remarks, options: ImportOptions): void {
  const text = [
    table(OUTCOMES, [OUTCOMES.map(outcome => String(counts[outcome]))]),
    options.dryRun ? `A rehearsal: nothing was written. ${counts.stored} event(s) would be stored.` : `${counts.stored} event(s) stored.`,
    ...(remarks.total > 0 ? [remarks.text()] : [])
  ].join('\n')
  say(output, { ...counts, dry_run: options.dryRun, remarks: remarks.listed, remarks_total: remarks.total }, text)
  const conflicts = counts.conflict > 0 && !options.dryRun ? ' The contradicting ones wait in quarantine: `npx loyalty-ledger quarantine list --reason conflict`.' : ''
  if (remarks.total > 0) throw new CommandError('import_incomplete', `${counts.bad} line(s) are bad and ${counts.conflict} contradict what is stored.${conflicts}`)
}

/** What a person must look at: the first ones in full, of the rest the number. */
class Remarks {
  readonly listed: FileRemark[] = []
  total = 0

  add (remark: FileRemark): void {
    this.total++
    if (this.listed.length < LISTED_REMARKS) this.listed.push(remark)
  }

  text (): string {
    const more = this.total - this.listed.length
    return [
      ...this.listed.map(({ file, line, what, reason }) => `${file}:${line}: ${what}: ${reason}`),
      ...(more > 0 ? [`… and ${more} more`] : [])
    ].join('\n')
  }
}

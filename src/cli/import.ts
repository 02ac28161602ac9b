import type { Config } from '../config.ts'
import { checkEntries, importEntries, skimEntries } from '../transfer/import/import.ts'
import { dryRunning, storing, type Sink } from '../transfer/import/sink.ts'
import { openSource, type ImportSource } from '../transfer/import/source.ts'
import { catchUp, waitForProjections, type Lagging } from '../engine/catch-up.ts'
import { projections } from '../projections/index.ts'
import { restore } from '../log/restore.sql.ts'
import type { Db } from '../postgres/database.ts'
import { createReport, type Report } from './support/import-report.ts'
import { requireRestorer, withLedger } from '../app/open.ts'
import type { Output } from '../app/output.ts'
import { showProgress, type Progress } from './support/progress.ts'

export interface ImportOptions { dryRun: boolean, skipBad: boolean }

/** How long an import waits for shards that workers hold. */
const CATCH_UP_MS = 60_000
/** A dry run cannot project, so it waits only for a worker that is nearly done. */
const DRY_RUN_WAIT_MS = 2000

/**
 * `import FILE…`: stores the events of exports and files of deliveries. A file with a line that cannot be read is
 * refused before anything is written, unless `skipBad` says to skip such lines. Running it again is always safe.
 */
export async function importCommand (config: Config, output: Output, files: readonly string[], options: ImportOptions): Promise<void> {
  const sources = await Promise.all(files.map(async file => await openSource(file, config.BODY_LIMIT_BYTES)))
  // Also if bad lines are skipped: a file that cannot be read to its end must be found before anything is written.
  if (!options.dryRun) await check(sources, options.skipBad ? skimEntries : checkEntries, output)
  const report = createReport(output, options)
  try {
    if (options.dryRun) {
      await withLedger(config, async (db, { shards }) => { await dryRun(sources, dryRunning({ db, shards }), output, report) }, { readOnly: true })
    } else if (sources.some(({ restores }) => restores)) {
      await withLedger(config, async (db, { openIngest }) => {
        await requireRestorer(db)
        await takeIn(sources, storing(openIngest(), openIngest(restore)), config, output, report)
      })
    } else {
      await withLedger(config, async (_db, { openIngest }) => { await takeIn(sources, storing(openIngest()), config, output, report) }, { role: config.DATABASE_ROLE })
    }
  } catch (error) {
    report.breakOff(error)
  }
  report.conclude()
}

async function check (sources: readonly ImportSource[], look: typeof checkEntries, output: Output): Promise<void> {
  const report = createReport(output, { dryRun: true })
  await withProgress('checking', sources, output, async progress => {
    for (const { file, entries } of sources) await look(entries(), report.tallyOf(file, progress.add))
  })
  report.refuseBad()
}

async function takeIn (sources: readonly ImportSource[], sink: Sink, config: Config, output: Output, report: Report): Promise<void> {
  // The projections decide which rows are new, so all that is stored must be projected first.
  report.lagBefore(await bringUpToDate(sink.intake.db, config))
  await importAll(sources, sink, 'importing', output, report)
  report.lagAfter(await bringUpToDate(sink.intake.db, config))
}

async function dryRun (sources: readonly ImportSource[], sink: Sink, output: Output, report: Report): Promise<void> {
  report.lagBefore(await waitForProjections(sink.intake.db, projections, { wait_ms: DRY_RUN_WAIT_MS }))
  await importAll(sources, sink, 'checking', output, report)
}

async function importAll (sources: readonly ImportSource[], sink: Sink, doing: string, output: Output, report: Report): Promise<void> {
  await withProgress(doing, sources, output, async progress => {
    for (const { file, entries } of sources) await importEntries(entries(), sink, report.tallyOf(file, progress.add))
  })
}

async function bringUpToDate (db: Db, config: Config): Promise<Lagging[]> {
  return await catchUp(db, projections, { batch: config.PROJECTION_BATCH_EVENTS, wait_ms: CATCH_UP_MS })
}

async function withProgress (doing: string, sources: readonly ImportSource[], output: Output, action: (progress: Progress) => Promise<void>): Promise<void> {
  const progress = showProgress(doing, sources.reduce((sum, { bytes }) => sum + bytes, 0), output.json)
  try {
    await action(progress)
  } finally {
    progress.stop()
  }
}

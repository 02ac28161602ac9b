import { once } from 'node:events'
import type { Config } from '../config.ts'
import { exportLog, measureLog } from '../transfer/export/export.ts'
import { writeWholeFile } from '../files/whole-file.ts'
import { withLedger } from '../app/open.ts'
import { writeResult, type Output } from '../app/output.ts'
import { showProgress } from './support/progress.ts'

const LEFT_OUT = 'Quarantine, API keys and projections are not in it.'

/**
 * `export [FILE]`: writes every event stored so far, in a form that `import` reads, to standard output or to a file.
 * The file appears when it is complete.
 */
export async function exportCommand (config: Config, output: Output, file: string | undefined): Promise<void> {
  await withLedger(config, async db => {
    const extent = await measureLog(db)
    const progress = showProgress('exporting', extent.events, output.json)
    async function * pieces (): AsyncGenerator<string> {
      for await (const { text, events } of exportLog(db, extent, new Date().toISOString())) {
        yield text
        progress.add(events)
      }
    }
    try {
      if (file === undefined) await writeOut(pieces())
      else await writeWholeFile(file, pieces())
    } finally {
      progress.stop()
    }
    const { events, heads } = extent
    if (file === undefined) output.progress(`Exported ${events} event(s) of ${heads.length} shards. ${LEFT_OUT}`)
    else writeResult(output, { file, events, shards: heads.length }, `Exported ${events} event(s) of ${heads.length} shards to ${file}. ${LEFT_OUT}`)
  })
}

/** Writes to standard output, and waits for a slow reader. */
async function writeOut (pieces: AsyncIterable<string>): Promise<void> {
  for await (const piece of pieces) if (!process.stdout.write(piece)) await once(process.stdout, 'drain')
}

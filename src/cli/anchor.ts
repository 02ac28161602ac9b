import { signAnchor } from '../audit/anchor.ts'
import type { Config } from '../config.ts'
import { readChainHeads } from '../audit/log.sql.ts'
import { writeWholeFile } from '../files/whole-file.ts'
import { signingKey } from './support/anchor-keys.ts'
import { withLedger } from '../app/open.ts'
import { writeResult, type Output } from '../app/output.ts'

/**
 * `anchor [FILE]`: writes the heads of the log, signed, to a file or standard output.
 * @throws as `signingKey`; UnwritableFile
 */
export async function anchorCommand (config: Config, output: Output, file: string | undefined): Promise<void> {
  const key = await signingKey(config)
  const shards = await withLedger(config, readChainHeads, { readOnly: true })
  const events = shards.reduce((sum, { head }) => sum + head, 0n)
  const made_at = new Date().toISOString()
  const signed = signAnchor({ made_at, events, shards }, key)
  if (file === undefined) {
    output.result(signed.trimEnd())
    return
  }
  await writeWholeFile(file, signed, { mode: 0o666 })
  writeResult(output, { file, made_at, events: Number(events), shards: shards.length },
    `${file}: ${events} events in ${shards.length} shards as of ${made_at}, signed. Keep it where who can change the database cannot change it.`)
}

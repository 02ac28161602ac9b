import { randomBytes } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { signAnchor } from '../audit/anchor.ts'
import type { Config } from '../config.ts'
import { readChainHeads } from '../audit/log.sql.ts'
import { signingKey } from './support/anchor-keys.ts'
import { CommandError } from '../app/errors.ts'
import { withLedger } from '../app/open.ts'
import { say, type Output } from '../app/output.ts'

/**
 * `anchor [FILE]`: writes where the log stands, signed, to a file or standard output.
 * @throws CommandError what `signingKey` says, file_unwritable
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
  await writeWhole(file, signed)
  say(output, { file, made_at, events: Number(events), shards: shards.length },
    `${file}: ${events} events in ${shards.length} shards as of ${made_at}, signed. Keep it where who can change the database cannot change it.`)
}

// Aside, flushed, then renamed: whoever reads the file, also after a power cut, finds the old anchor or the new one whole.
async function writeWhole (file: string, text: string): Promise<void> {
  const draft = `${file}.${randomBytes(6).toString('hex')}`
  try {
    await flushed(draft, 'wx', async handle => { await handle.writeFile(text) })
    await rename(draft, file)
    await flushed(dirname(file), 'r', async () => {})
  } catch (error) {
    throw new CommandError('file_unwritable', `The anchor cannot be written to ${file}: ${(error as Error).message}.`, { cause: error })
  } finally {
    await rm(draft, { force: true })
  }
}

async function flushed (path: string, flags: string, write: (handle: Awaited<ReturnType<typeof open>>) => Promise<void>): Promise<void> {
  const handle = await open(path, flags)
  try {
    await write(handle)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

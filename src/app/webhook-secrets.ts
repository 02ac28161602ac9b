import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../config.ts'
import { CommandError } from './errors.ts'

const FILE = 'webhook.secret'
const SECRET_BYTES = 24

/**
 * The webhook secrets in force: those of the configuration, else one that is made once and kept in DATA_DIR, so that a
 * first try on this machine can be signed. A missing secret never means "accept".
 * @throws CommandError secret_unusable, data_dir_unusable
 */
export async function webhookSecrets (config: Config): Promise<{ secrets: readonly string[], file: string | undefined }> {
  if (config.WEBHOOK_SECRETS.length > 0) return { secrets: config.WEBHOOK_SECRETS, file: undefined }
  const file = join(config.DATA_DIR, FILE)
  const secret = await keptSecret(config.DATA_DIR, file)
  if (secret.length < SECRET_BYTES) {
    throw new CommandError('secret_unusable', `${file} holds no usable secret. Remove it, and a new one is made; or set WEBHOOK_SECRETS.`)
  }
  return { secrets: [secret], file }
}

async function keptSecret (folder: string, file: string): Promise<string> {
  try {
    await mkdir(folder, { recursive: true })
    if (!existsSync(file)) await makeOnce(file, `${randomBytes(SECRET_BYTES).toString('base64url')}\n`)
    return (await readFile(file, 'utf8')).trim()
  } catch (error) {
    throw new CommandError('data_dir_unusable', `The webhook secret cannot be kept in ${folder}: ${(error as Error).message}. Choose a DATA_DIR that can be written, or set WEBHOOK_SECRETS.`, { cause: error })
  }
}

/**
 * Writes a secret to a file that only its owner may read, unless the file exists. It is written to another file and
 * then linked, so it appears whole or not at all, also on a full disk; two processes that start at once read the same
 * secret.
 */
export async function makeOnce (file: string, secret: string): Promise<void> {
  const draft = `${file}.${randomBytes(6).toString('hex')}`
  try {
    await writeFile(draft, secret, { mode: 0o600, flag: 'wx' })
    await link(draft, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    await rm(draft, { force: true })
  }
}

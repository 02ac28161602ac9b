import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../config.ts'

const FILE = 'webhook.secret'

/**
 * The webhook secrets in force: those of the configuration, else one that is made once and kept in DATA_DIR, so that a
 * first try on this machine can be signed. A missing secret never means "accept".
 */
export async function webhookSecrets (config: Config): Promise<{ secrets: readonly string[], file: string | undefined }> {
  if (config.WEBHOOK_SECRETS.length > 0) return { secrets: config.WEBHOOK_SECRETS, file: undefined }
  const file = join(config.DATA_DIR, FILE)
  await mkdir(config.DATA_DIR, { recursive: true })
  try {
    // Fails where it exists: two processes that start at once agree on one secret.
    await writeFile(file, `${randomBytes(24).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  return { secrets: [(await readFile(file, 'utf8')).trim()], file }
}

import { randomBytes } from 'node:crypto'
import { chown, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Writes a file atomically. Only the owner of the folder may read it. */
export async function writeWhole (path: string, content: string): Promise<void> {
  const draft = `${path}.${randomBytes(4).toString('hex')}`
  await writeFile(draft, content, { mode: 0o600, flush: true })
  await giveToFolderOwner(draft)
  await rename(draft, path)
}

/**
 * When root works in a folder of another account (with sudo, say), gives the file to that account, so that it can use
 * it.
 */
export async function giveToFolderOwner (path: string): Promise<void> {
  if (process.getuid?.() !== 0) return
  const { uid, gid } = await stat(dirname(path))
  if (uid !== 0) await chown(path, uid, gid)
}

/** The file's text; undefined when there is no such file. */
export async function readIfThere (path: string): Promise<string | undefined> {
  return await readFile(path, 'utf8').catch(unlessMissing)
}

/** For `catch`: returns undefined for a missing file and rethrows any other error. */
function unlessMissing (error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
}

/** True if the file or folder exists. */
export async function isThere (path: string): Promise<boolean> {
  return await stat(path).then(() => true, () => false)
}

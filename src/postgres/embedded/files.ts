import { chown, readFile, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { UnwritableFile, writeWholeFile } from '../../files/whole-file.ts'

/** Writes a file atomically. Only the owner of the folder may read it. */
export async function writeWhole (path: string, content: string): Promise<void> {
  await writeWholeFile(path, content, { beforeRename: giveToFolderOwner }).catch((error: unknown) => {
    // Advice to people goes by the code of the file system.
    throw error instanceof UnwritableFile ? error.cause ?? error : error
  })
}

/** When root works in another account's folder (with sudo, say), gives the file to that account. */
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

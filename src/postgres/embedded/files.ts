import { chown, readFile, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { UnwritableFile, writeWholeFile } from '../../files/whole-file.ts'

/** Writes a file that only the folder's owner may read, whole or not at all. */
export async function writeWhole (path: string, content: string): Promise<void> {
  await writeWholeFile(path, content, { beforeRename: giveToFolderOwner }).catch((error: unknown) => {
    // Advice to people goes by the code of the file system.
    throw error instanceof UnwritableFile ? error.cause ?? error : error
  })
}

/** Root at work in someone's folder (once with sudo, say) must not leave files there that its owner cannot use. */
export async function giveToFolderOwner (path: string): Promise<void> {
  if (process.getuid?.() !== 0) return
  const { uid, gid } = await stat(dirname(path))
  if (uid !== 0) await chown(path, uid, gid)
}

/** The file's text; undefined when there is no such file. */
export async function readIfThere (path: string): Promise<string | undefined> {
  return await readFile(path, 'utf8').catch(unlessMissing)
}

/** For `catch`: a missing file is undefined, any other error stays one. */
function unlessMissing (error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
}

/** Tells if a file or folder exists. */
export async function isThere (path: string): Promise<boolean> {
  return await stat(path).then(() => true, () => false)
}

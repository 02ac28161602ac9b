import { randomBytes } from 'node:crypto'
import { open, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/** A file cannot be written as asked. The message says what to do. */
export class UnwritableFile extends Error {
  override name = 'UnwritableFile'
  readonly code = 'file_unwritable'
}

export interface WholeFileOptions {
  /** Only the owner may read the file unless this says otherwise. */
  mode?: number
  /** Called with the path of the complete draft, before it gets its name. */
  beforeRename?: (draft: string) => Promise<void>
}

/**
 * Writes a file that is whole or not there, also after a power cut: into a draft beside it, flushed to the disk, then
 * renamed. An earlier file of this name stays until then.
 *
 * Not `write-file-atomic`: it flushes the file but not the folder, so the name may be lost, and it needs Node 22.
 * @throws UnwritableFile if the file system refuses; whatever `content` throws
 */
export async function writeWholeFile (file: string, content: string | AsyncIterable<string>, { mode = 0o600, beforeRename }: WholeFileOptions = {}): Promise<void> {
  await refuseOtherThanFile(file)
  const draft = `${file}.${randomBytes(6).toString('hex')}.part`
  try {
    const handle = await open(draft, 'wx', mode)
    try {
      for await (const piece of typeof content === 'string' ? [content] : content) await handle.writeFile(piece)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await beforeRename?.(draft)
    await renameDurably(draft, file)
  } catch (error) {
    await rm(draft, { force: true })
    if ((error as { syscall?: string }).syscall === undefined || !isOfFile(error)) throw error
    throw new UnwritableFile(`${file} cannot be written: ${(error as Error).message}.`, { cause: error })
  }
}

/** Renames a file or folder so that the new name survives a power cut. */
export async function renameDurably (from: string, to: string): Promise<void> {
  await rename(from, to)
  const folder = await open(dirname(to))
  await folder.sync().finally(async () => { await folder.close() })
}

/** Renaming a file over a device or a pipe would take it away from everyone. */
async function refuseOtherThanFile (file: string): Promise<void> {
  const there = await stat(file).catch(() => undefined)
  if (there !== undefined && !there.isFile()) throw new UnwritableFile(`${file} is no file. Name a file, or none for standard output.`)
}

/** False for errors of connections: these have system calls, too, but other codes. */
function isOfFile (error: unknown): boolean {
  return ['EACCES', 'EPERM', 'ENOENT', 'ENOTDIR', 'ENOSPC', 'EROFS', 'EDQUOT', 'EFBIG', 'EIO', 'EEXIST', 'EMFILE', 'ENAMETOOLONG'].includes((error as { code?: string }).code ?? '')
}

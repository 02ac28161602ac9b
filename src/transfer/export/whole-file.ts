import { open, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/** A file cannot be written as asked. The message says what to do. */
export class UnwritableFile extends Error {
  override name = 'UnwritableFile'
  readonly code = 'file_unwritable'
}

/**
 * Writes a file that is whole or not there: beside its place, then to the disk, then under its name. What stood there before
 * stays until then. Only the owner may read it: deliveries hold personal data.
 */
export async function writeWholeFile (file: string, pieces: AsyncIterable<string>): Promise<void> {
  await refuseOtherThanFile(file)
  const draft = join(dirname(file), `${basename(file)}.${process.pid}.part`)
  try {
    const handle = await open(draft, 'wx', 0o600)
    try {
      for await (const piece of pieces) await handle.writeFile(piece)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(draft, file)
  } catch (error) {
    await rm(draft, { force: true })
    if ((error as { syscall?: string }).syscall === undefined || !isOfFile(error)) throw error
    throw new UnwritableFile(`${file} cannot be written: ${(error as Error).message}.`, { cause: error })
  }
  await syncFolder(dirname(file))
}

/** To put a file in the place of a device or a pipe would take it away from everyone. */
async function refuseOtherThanFile (file: string): Promise<void> {
  const there = await stat(file).catch(() => undefined)
  if (there !== undefined && !there.isFile()) throw new UnwritableFile(`${file} is no file. Name one that is to be written, or none for standard output.`)
}

/** Connections have system calls, too; they fail with other codes. */
function isOfFile (error: unknown): boolean {
  return ['EACCES', 'EPERM', 'ENOENT', 'ENOTDIR', 'ENOSPC', 'EROFS', 'EDQUOT', 'EFBIG', 'EIO', 'EEXIST', 'EMFILE', 'ENAMETOOLONG'].includes((error as { code?: string }).code ?? '')
}

/** The name, too, must outlive a crash of the machine. */
async function syncFolder (folder: string): Promise<void> {
  const handle = await open(folder)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

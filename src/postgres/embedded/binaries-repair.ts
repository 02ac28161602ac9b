import { constants } from 'node:fs'
import { chmod, cp, lstat, readdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises'
import { basename, dirname, join, relative } from 'node:path'
import { randomBytes } from 'node:crypto'

const prefix = 'postgres-binaries-'
const cannotWrite = new Set(['EACCES', 'EPERM', 'EROFS'])

/**
 * Does what the platform package's install script would have done (npm archives cannot contain symlinks), and sets the
 * executable bits that some package managers drop. Changes nothing when nothing is missing.
 * @returns false if something is missing but the folder is not writable
 */
export async function repairInPlace (native: string): Promise<boolean> {
  try {
    const links = JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(emptyList)) as { source: string, target: string }[]
    for (const link of links) {
      const target = join(native, '..', link.target)
      if (await lstat(target).catch(() => undefined) !== undefined) continue
      await symlink(relative(dirname(link.target), link.source), target).catch(ignoreExisting)
    }
    for (const program of ['initdb', 'postgres']) {
      const path = join(native, 'bin', program)
      const { mode } = await stat(path)
      if ((mode & 0o555) !== 0o555) await chmod(path, mode | 0o555)
    }
    return true
  } catch (error) {
    if (cannotWrite.has((error as NodeJS.ErrnoException).code ?? '')) return false
    throw error
  }
}

/** Finds the copy of this version that an earlier run made. The copy was renamed at the end, so it is complete. */
export async function findCopy (home: string, version: string): Promise<string | undefined> {
  const copy = join(home, prefix + version, 'native')
  return await stat(copy).then(() => copy, () => undefined)
}

/** Copies the programs to `home`, readable by every account. Removes copies of other versions and incomplete ones. */
export async function copyBinaries (native: string, home: string, version: string): Promise<string> {
  for (const name of await readdir(home)) {
    if (name.startsWith(prefix)) await rm(join(home, name), { recursive: true, force: true })
  }
  const complete = join(home, prefix + version)
  const staging = `${complete}.${randomBytes(4).toString('hex')}`
  const copy = join(staging, basename(native))
  await cp(native, copy, { recursive: true, verbatimSymlinks: true, mode: constants.COPYFILE_FICLONE })
  await chmod(staging, 0o755)
  await openToAll(copy)
  await repairInPlace(copy)
  await rename(staging, complete)
  return join(complete, basename(native))
}

async function openToAll (folder: string): Promise<void> {
  await chmod(folder, 0o755)
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) await openToAll(path)
    else if (entry.isFile()) await chmod(path, basename(folder) === 'bin' ? 0o755 : 0o644)
  }
}

function emptyList (error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') return '[]'
  throw error
}

function ignoreExisting (error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error
}

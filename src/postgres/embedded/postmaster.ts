import { execFile } from 'node:child_process'
import { readFile, readlink, unlink } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { readIfThere } from './files.ts'

/** A running server, as its postmaster.pid describes it. `port` is missing for the first moments of its life. */
export interface Postmaster { pid: number, port: number | undefined, ready: boolean }

/**
 * The server that runs on this data directory, if one does. A postmaster.pid whose process is dead, a
 * zombie, or some other program that was given the same number is no server.
 */
export async function findPostmaster (data: string): Promise<Postmaster | undefined> {
  const found = await readPidFile(data)
  return found !== undefined && await isPostgresOf(found.pid, data) ? found : undefined
}

/**
 * Removes a postmaster.pid that no server stands behind. PostgreSQL does so itself if the process is dead, but refuses to
 * start for ever when the number belongs to an unrelated process of the same account (after a reboot: often).
 * Shared memory left by a crashed server is still guarded by PostgreSQL's own check, which does not need this file.
 */
export async function removeStalePidFile (data: string, log: (line: string) => void): Promise<void> {
  const found = await readPidFile(data)
  if (found === undefined || await isPostgresOf(found.pid, data)) return
  await unlink(join(data, 'postmaster.pid'))
  log(`PostgreSQL did not stop in order last time (process ${found.pid} is gone); it recovers now`)
}

/** Tells if a process runs. A zombie does not: in containers whose first process reaps no children it would stay "alive" for ever. */
export async function isAlive (pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) !== 'Z'
}

async function readPidFile (data: string): Promise<Postmaster | undefined> {
  const text = await readIfThere(join(data, 'postmaster.pid')) ?? ''
  // Lines: pid, data directory, start time, port, socket folder, address, shared memory, status.
  const lines = text.split('\n')
  const pid = Number.parseInt(lines[0] ?? '', 10)
  if (!(pid > 1)) return undefined
  const port = Number.parseInt(lines[3] ?? '', 10)
  return { pid, port: port > 0 ? port : undefined, ready: lines[7]?.trim() === 'ready' }
}

async function isPostgresOf (pid: number, data: string): Promise<boolean> {
  if (!await isAlive(pid)) return false
  const args = await commandLine(pid)
  if (!/^(postgres|postmaster)$/.test(basename(args[0] ?? ''))) return false
  if (args.some(argument => argument.replace(/^-D/, '') === data)) return true
  // Started by hand, perhaps with a relative path: a postmaster works in its data directory.
  return await readlink(`/proc/${pid}/cwd`).catch(() => '') === data
}

async function commandLine (pid: number): Promise<string[]> {
  if (process.platform === 'linux') {
    return (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0')
  }
  // One string: enough, since we write the data directory as its own argument after -D, before any other.
  const { stdout } = await promisify(execFile)('ps', ['-ww', '-o', 'command=', '-p', String(pid)]).catch(() => ({ stdout: '' }))
  const [, program, rest] = /^(.*?) -D (.*)$/.exec(stdout.trim()) ?? []
  return program === undefined || rest === undefined ? [] : [program, rest.split(' -c ')[0] ?? rest]
}

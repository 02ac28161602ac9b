import { execFile } from 'node:child_process'
import { readFile, readlink, unlink } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { readIfThere } from './files.ts'

/** A running server, as its postmaster.pid describes it. `port` is undefined while the server is starting. */
export interface Postmaster { pid: number, port: number | undefined, ready: boolean }

/**
 * Finds the server that runs on this data directory. A postmaster.pid counts for nothing if its process is dead, a
 * zombie, or another program that got the same process id.
 */
export async function findPostmaster (data: string): Promise<Postmaster | undefined> {
  const found = await readPidFile(data)
  return found !== undefined && await isPostgresOf(found.pid, data) ? found : undefined
}

/**
 * Removes a postmaster.pid that belongs to no running server. PostgreSQL does so itself if the process is dead. But it
 * always refuses to start if an unrelated process of the same account has that process id, as often after a reboot.
 * Shared memory of a crashed server is still protected by PostgreSQL's own check, which does not need this file.
 */
export async function removeStalePidFile (data: string, log: (line: string) => void): Promise<void> {
  const found = await readPidFile(data)
  if (found === undefined || await isPostgresOf(found.pid, data)) return
  await unlink(join(data, 'postmaster.pid'))
  log(`PostgreSQL did not stop in order last time (process ${found.pid} no longer runs); it recovers now`)
}

/**
 * True if the process runs. A zombie does not count: in a container whose first process reaps no children it would look
 * alive for ever.
 */
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
  // `ps` prints one string. That is enough, since our command line starts with -D and the data directory.
  const { stdout } = await promisify(execFile)('ps', ['-ww', '-o', 'command=', '-p', String(pid)]).catch(() => ({ stdout: '' }))
  const [, program, rest] = /^(.*?) -D (.*)$/.exec(stdout.trim()) ?? []
  return program === undefined || rest === undefined ? [] : [program, rest.split(' -c ')[0] ?? rest]
}

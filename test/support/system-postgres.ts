// A PostgreSQL that is installed on this machine, with its own pg_dump and pg_restore: the embedded one brings neither.
import { chownSync, existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { chooseAccount } from '../../src/postgres/embedded/account.ts'
import { run, type Account } from '../../src/postgres/embedded/run.ts'
import { dataFolder } from '../postgres/embedded/support.ts'

const NEEDED = ['initdb', 'pg_ctl', 'pg_dump', 'pg_restore']

/** Where the programs of the newest version are that has all of them; undefined where none is installed. */
export function findPostgres (): string | undefined {
  const folders = ['/usr/lib/postgresql', '/opt/homebrew/opt', '/usr'].flatMap(root => existsSync(root)
    ? readdirSync(root).flatMap(name => /^(pgsql-|postgresql@)?\d+$/.test(name) ? [{ version: Number(/\d+$/.exec(name)?.[0]), bin: join(root, name, 'bin') }] : [])
    : [])
  return folders.filter(({ version, bin }) => version >= 15 && NEEDED.every(name => existsSync(join(bin, name))))
    .sort((a, b) => b.version - a.version)[0]?.bin
}

/**
 * A new cluster that is stopped and removed with the test. Only this machine reaches it, through a socket in its
 * folder.
 */
export async function startCluster (t: Test, bin: string, owner = 'postgres'): Promise<{ url: (database: string) => string, program: (name: string, ...args: string[]) => Promise<void>, folder: string }> {
  const folder = await dataFolder(t)
  const account = await chooseAccount(folder)
  if (account !== undefined) chownSync(folder, account.uid, account.gid)
  const program = async (name: string, ...args: string[]): Promise<void> => { await runWell(join(bin, name), args, account) }
  const data = join(folder, 'postgres')
  mkdirSync(join(folder, 'socket'))
  if (account !== undefined) chownSync(join(folder, 'socket'), account.uid, account.gid)
  await program('initdb', '--pgdata', data, '--username', owner, '--encoding', 'UTF8', '--locale', 'C', '--no-sync')
  await program('pg_ctl', '--pgdata', data, '--wait', '--log', join(folder, 'log'), '--options', `-c listen_addresses= -c unix_socket_directories=${join(folder, 'socket')} -c fsync=off`, 'start')
  return { url: database => `postgres://${owner}@localhost/${database}?host=${join(folder, 'socket')}`, program, folder }
}

async function runWell (command: string, args: string[], account: Account | undefined): Promise<void> {
  const { status, output } = await run(command, args, account)
  if (status !== 0) throw new Error(`${command} ended with ${status}: ${output}`)
}

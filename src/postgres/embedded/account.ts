import { stat } from 'node:fs/promises'
import { EmbeddedPostgresError, useYourOwn } from './errors.ts'
import { run, type Account } from './run.ts'

/**
 * Chooses the account that runs PostgreSQL. PostgreSQL refuses to run as root, so root needs another account: the owner
 * of the data if there is data already, otherwise `postgres`, otherwise `nobody`. No account is ever created.
 * @returns undefined when this process is not root: PostgreSQL then runs as the same account
 */
export async function chooseAccount (data: string): Promise<Account | undefined> {
  const us = process.getuid?.() ?? 0
  const owner = await stat(data).catch(() => undefined)
  if (us !== 0) {
    if (owner === undefined || owner.uid === us) return undefined
    throw new EmbeddedPostgresError('no_permission', `${data} belongs to another account (uid ${owner.uid}; this process has uid ${us}). Run as that account or as root, or choose another DATA_DIR. ${useYourOwn}`)
  }
  if (owner !== undefined && owner.uid !== 0) return { name: `uid ${owner.uid}`, uid: owner.uid, gid: owner.gid }
  const account = await lookUp('postgres') ?? await lookUp('nobody')
  if (account !== undefined) return account
  throw new EmbeddedPostgresError('no_account', `PostgreSQL does not run as root, and this system has neither an account "postgres" nor an account "nobody". Start as an ordinary user, or create an account: useradd --system postgres. ${useYourOwn}`)
}

/** True if the account can enter the folder. It asks the system, since modes, access lists and mounts all matter. */
export async function canEnter (account: Account | undefined, folder: string): Promise<boolean> {
  if (account === undefined) return true
  const { status } = await run('/bin/sh', ['-c', 'test -x "$1"', 'sh', folder], account)
  return status === 0
}

async function lookUp (name: string): Promise<Account | undefined> {
  const [uid, gid] = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])])
  if (uid.status !== 0 || gid.status !== 0) return undefined
  const account = { name, uid: Number(uid.output), gid: Number(gid.output) }
  return account.uid > 0 ? account : undefined
}

import { stat } from 'node:fs/promises'
import { EmbeddedPostgresError, useYourOwn } from './errors.ts'
import { run, type Account } from './run.ts'

/**
 * PostgreSQL refuses to run as root, so root needs another account: the owner of the data when there
 * is data already, else `postgres`, else `nobody`. No account is ever created.
 * Returns undefined when we are not root: then postgres runs as ourselves.
 */
export async function chooseAccount (data: string): Promise<Account | undefined> {
  const us = process.getuid?.() ?? 0
  const owner = await stat(data).catch(() => undefined)
  if (us !== 0) {
    if (owner === undefined || owner.uid === us) return undefined
    throw new EmbeddedPostgresError('no_permission', `${data} belongs to another account (uid ${owner.uid}; ours is ${us}). Run as that account or as root, or choose another DATA_DIR. ${useYourOwn}`)
  }
  if (owner !== undefined && owner.uid !== 0) return { name: `uid ${owner.uid}`, uid: owner.uid, gid: owner.gid }
  const account = await lookUp('postgres') ?? await lookUp('nobody')
  if (account !== undefined) return account
  throw new EmbeddedPostgresError('no_account', `PostgreSQL does not run as root, and this system has neither an account "postgres" nor "nobody" to run it as. Start as an ordinary user, or make one: useradd --system postgres. ${useYourOwn}`)
}

/** Tells if the account can get into the folder: asked of the system itself, since modes, lists and mounts all have a say. */
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

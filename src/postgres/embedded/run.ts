import { execFile } from 'node:child_process'
import { EmbeddedPostgresError, useYourOwn } from './errors.ts'

/** The account that initdb and postgres run as, where it is not our own. */
export interface Account { name: string, uid: number, gid: number }

/** How a short command ended: `status` is its exit code, or why it could not be started (`EACCES`, `ENOENT` …). */
export interface Ran { status: number | string, output: string }

/**
 * Environment and identity for PostgreSQL's programs. LC_ALL=C keeps their messages in English, since we
 * read some of them; nothing else is inherited, so that a PGDATA or PGPORT of the caller changes nothing.
 * The working folder is the root: postgres' account may not be able to stay in ours.
 */
export function asAccount (account: Account | undefined) {
  return {
    cwd: '/',
    env: { PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin', LC_ALL: 'C' },
    ...(account === undefined ? {} : { uid: account.uid, gid: account.gid })
  }
}

/** Runs a short command to its end, as the account if there is one. Does not throw for the command's own failure. */
export async function run (command: string, args: string[], account?: Account): Promise<Ran> {
  try {
    return await new Promise<Ran>(resolve => {
      execFile(command, args, { ...asAccount(account), maxBuffer: 1 << 24 }, (error, stdout, stderr) => {
        const status = error === null ? 0 : error.code ?? error.signal ?? 'failed'
        resolve({ status, output: `${stdout}${stderr}`.trim() })
      })
    })
  } catch (cause) {
    // Node throws this one instead of reporting it.
    if ((cause as NodeJS.ErrnoException).code !== 'EPERM' || account === undefined) throw cause
    throw new EmbeddedPostgresError('no_account', `PostgreSQL does not run as root, and this root may not run it as another account (${account.name}): a container without CAP_SETUID? Start as an ordinary user. ${useYourOwn}`, { cause })
  }
}

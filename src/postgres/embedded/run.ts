import { execFile } from 'node:child_process'
import { EmbeddedPostgresError, useYourOwn } from './errors.ts'

/** The account that initdb and postgres run as, if it is not that of this process. */
export interface Account { name: string, uid: number, gid: number }

/**
 * The result of a short command: `status` is its exit code, or the reason why it did not start (`EACCES`, `ENOENT` …).
 */
export interface Ran { status: number | string, output: string }

/**
 * Environment and identity for PostgreSQL's programs. LC_ALL=C keeps their messages in English, since we parse some of
 * them. Nothing else is inherited, so a PGDATA or PGPORT of the caller has no effect. The working folder is the root,
 * since the account may have no access to ours.
 */
export function asAccount (account: Account | undefined) {
  return {
    cwd: '/',
    env: { PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin', LC_ALL: 'C' },
    ...(account === undefined ? {} : { uid: account.uid, gid: account.gid })
  }
}

/** Runs a short command to its end, as the given account if any. A failing command is a result, not an exception. */
export async function run (command: string, args: string[], account?: Account): Promise<Ran> {
  try {
    return await new Promise<Ran>(resolve => {
      execFile(command, args, { ...asAccount(account), maxBuffer: 1 << 24 }, (error, stdout, stderr) => {
        const status = error === null ? 0 : error.code ?? error.signal ?? 'failed'
        resolve({ status, output: `${stdout}${stderr}`.trim() })
      })
    })
  } catch (cause) {
    // Node throws this error instead of reporting it through the callback.
    if ((cause as NodeJS.ErrnoException).code !== 'EPERM' || account === undefined) throw cause
    throw new EmbeddedPostgresError('no_account', `PostgreSQL does not run as root, and this root may not switch to account ${account.name}; the container may lack CAP_SETUID. Start as an ordinary user. ${useYourOwn}`, { cause })
  }
}

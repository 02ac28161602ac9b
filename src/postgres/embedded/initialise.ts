import { randomBytes } from 'node:crypto'
import { chown, mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Binaries } from './binaries.ts'
import { EmbeddedPostgresError, useYourOwn } from './errors.ts'
import { renameDurably } from '../../files/whole-file.ts'
import { isThere, readIfThere } from './files.ts'
import type { Place } from './place.ts'
import { run } from './run.ts'

const draftPrefix = 'postgres.init-'

/** The superuser of the cluster and the owner of its database. */
export const superuser = 'ledger'

/** Tells if the place holds a cluster, and refuses what is neither a cluster nor empty, or is of another major version. */
export async function hasCluster ({ data }: Place, binaries: Binaries): Promise<boolean> {
  const version = (await readIfThere(join(data, 'PG_VERSION')))?.trim()
  if (version === undefined) {
    if (!await isThere(data) || (await readdir(data)).length === 0) return false
    throw new EmbeddedPostgresError('not_a_cluster', `${data} holds something that is not a PostgreSQL data directory. Move it away, or choose another DATA_DIR.`)
  }
  if (version !== String(binaries.major)) {
    throw new EmbeddedPostgresError('other_version', `${data} was made by PostgreSQL ${version}, and the embedded one is ${binaries.version}. Dump it with version ${version} (pg_dump) and restore it into a new DATA_DIR, or move that folder away to begin with an empty database. ${useYourOwn}`)
  }
  return true
}

/**
 * Runs initdb. It works in a sibling folder that is renamed when it is done: one that was killed in the middle
 * leaves rubbish that the next run sweeps, never half a cluster in the cluster's place.
 */
export async function initialise (place: Place, binaries: Binaries, password: string, { sync }: { sync: boolean }): Promise<void> {
  const { home, data, account } = place
  for (const name of await readdir(home)) {
    if (name.startsWith(draftPrefix)) await rm(join(home, name), { recursive: true, force: true })
  }
  const draft = join(home, draftPrefix + randomBytes(4).toString('hex'))
  const passwordFile = `${draft}.password`
  await mkdir(draft, { mode: 0o700 })
  await writeFile(passwordFile, password, { mode: 0o600 })
  if (account !== undefined) {
    await chown(draft, account.uid, account.gid)
    await chown(passwordFile, account.uid, account.gid)
  }
  try {
    const { status, output } = await run(binaries.initdb, [
      `--pgdata=${draft}`, `--username=${superuser}`, `--pwfile=${passwordFile}`,
      '--auth-host=scram-sha-256', '--auth-local=scram-sha-256', '--data-checksums', '--no-instructions',
      // PostgreSQL's own C.UTF-8: needs no locale of the system, and an upgrade of the system cannot change its order.
      '--encoding=UTF8', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C',
      ...(sync ? [] : ['--no-sync'])
    ], account)
    if (status !== 0) throw initdbError(place, status, output)
    await renameDurably(draft, data)
  } finally {
    await rm(passwordFile, { force: true })
    await rm(draft, { recursive: true, force: true })
  }
}

function initdbError ({ home }: Place, status: number | string, output: string): EmbeddedPostgresError {
  if (/No space left on device|Disk quota exceeded|wrote only \d+ of \d+ bytes/.test(output)) {
    return new EmbeddedPostgresError('no_space', `The disk that holds ${home} is full: a new database needs about 80 MB. Free some space and start again. ${useYourOwn}`)
  }
  const nameless = /could not look up effective user ID/.test(output)
    ? 'Our own account has no entry in /etc/passwd, and initdb needs one: run as an account that has. '
    : ''
  const tail = output.split('\n').slice(-12).join('\n  ')
  return new EmbeddedPostgresError('initdb_failed', `PostgreSQL could not make a new database in ${home} (initdb ended with ${status}). ${nameless}${useYourOwn} It said:\n  ${tail}`)
}

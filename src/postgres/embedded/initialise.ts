import { randomBytes } from 'node:crypto'
import { chown, mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Binaries } from './binaries.ts'
import { EmbeddedPostgresError, useYourOwn } from './errors.ts'
import { renameDurably } from '../../files/whole-file.ts'
import { isThere, readIfThere } from './files.ts'
import type { ClusterLocation } from './location.ts'
import { run } from './run.ts'

const draftPrefix = 'postgres.init-'

/** The superuser of the cluster and the owner of its database. */
export const superuser = 'ledger'

/**
 * True if the data folder holds a cluster, false if it is missing or empty.
 * @throws EmbeddedPostgresError not_a_cluster, other_version
 */
export async function hasCluster ({ data }: ClusterLocation, binaries: Binaries): Promise<boolean> {
  const version = (await readIfThere(join(data, 'PG_VERSION')))?.trim()
  if (version === undefined) {
    if (!await isThere(data) || (await readdir(data)).length === 0) return false
    throw new EmbeddedPostgresError('not_a_cluster', `${data} contains files but is not a PostgreSQL data directory. Move it away, or choose another DATA_DIR.`)
  }
  if (version !== String(binaries.major)) {
    throw new EmbeddedPostgresError('other_version', `${data} was made by PostgreSQL ${version}, and the embedded one is ${binaries.version}. Dump it with version ${version} (pg_dump) and restore it into a new DATA_DIR, or move that folder away to start with an empty database. ${useYourOwn}`)
  }
  return true
}

/**
 * Runs initdb in a temporary folder beside the data folder, and renames that folder at the end. A killed run leaves
 * only the temporary folder, which the next run removes, and never half a cluster.
 */
export async function initialise (location: ClusterLocation, binaries: Binaries, password: string, { sync }: { sync: boolean }): Promise<void> {
  const { home, data, account } = location
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
      // PostgreSQL's builtin C.UTF-8 needs no system locale, and a system upgrade cannot change its sort order.
      '--encoding=UTF8', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C',
      ...(sync ? [] : ['--no-sync'])
    ], account)
    if (status !== 0) throw initdbError(location, status, output)
    await renameDurably(draft, data)
  } finally {
    await rm(passwordFile, { force: true })
    await rm(draft, { recursive: true, force: true })
  }
}

function initdbError ({ home }: ClusterLocation, status: number | string, output: string): EmbeddedPostgresError {
  if (/No space left on device|Disk quota exceeded|wrote only \d+ of \d+ bytes/.test(output)) {
    return new EmbeddedPostgresError('no_space', `The disk that holds ${home} is full: a new database needs about 80 MB. Free some space and start again. ${useYourOwn}`)
  }
  const nameless = /could not look up effective user ID/.test(output)
    ? 'This account has no entry in /etc/passwd, which initdb needs: run as an account that has one. '
    : ''
  const tail = output.split('\n').slice(-12).join('\n  ')
  return new EmbeddedPostgresError('initdb_failed', `PostgreSQL could not create a new database in ${home} (initdb ended with ${status}). ${nameless}${useYourOwn} It said:\n  ${tail}`)
}

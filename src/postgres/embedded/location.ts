import { randomBytes } from 'node:crypto'
import { chmod, mkdir, mkdtemp, realpath } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { canEnter, chooseAccount } from './account.ts'
import { EmbeddedPostgresError } from './errors.ts'
import { isThere, readIfThere, writeWhole } from './files.ts'
import type { Account } from './run.ts'

const systemFolder = '/var/lib/loyalty-ledger'

/** Where the cluster is: `data` is its folder inside `home`. `dataDir` is the configured folder, usually also home. */
export interface ClusterLocation { dataDir: string, home: string, data: string, account: Account | undefined }

/**
 * Creates the data folder if it is missing. As root, other accounts may pass through it but not list it, since the
 * account of PostgreSQL must reach its own folder inside.
 */
export async function makeDataDir (path: string): Promise<string> {
  const made = await mkdir(resolve(path), { recursive: true })
  if (made !== undefined) await chmod(resolve(path), process.getuid?.() === 0 ? 0o711 : 0o700)
  return await realpath(path)
}

/**
 * Decides where the cluster is and which account runs it. Normally it is in the data folder. If the account that runs
 * PostgreSQL cannot enter root's data folder (below /root, say), the cluster goes to /var/lib/loyalty-ledger, or if
 * that fails to the folder for temporary files. The file `postgres.location` in the data folder then says so.
 */
export async function locateCluster (dataDir: string, log: (line: string) => void): Promise<ClusterLocation> {
  const remembered = await readIfThere(join(dataDir, 'postgres.location'))
  const home = remembered?.trim() ?? dataDir
  const data = join(home, 'postgres')
  if (remembered !== undefined && !await isThere(home)) {
    throw new EmbeddedPostgresError('data_missing', `The database is kept in ${home}, as ${join(dataDir, 'postgres.location')} says, but that folder is missing. Restore it, or remove that file to start with an empty database.`)
  }
  const account = await chooseAccount(data)
  if (await canEnter(account, home)) return { dataDir, home, data, account }
  if (await isThere(data)) {
    throw new EmbeddedPostgresError('no_permission', `The account that runs PostgreSQL (${account?.name ?? ''}) can no longer enter ${home}, where its data is. Allow it again (chmod o+x on the folder and those above it).`)
  }
  const elsewhere = await makeHome(account)
  await writeWhole(join(dataDir, 'postgres.location'), `${elsewhere}\n`)
  log(`account ${account?.name ?? ''}, which runs PostgreSQL, cannot enter ${dataDir}: the database is kept in ${elsewhere}`)
  return { dataDir, home: elsewhere, data: join(elsewhere, 'postgres'), account }
}

async function makeHome (account: Account | undefined): Promise<string> {
  const candidates = [
    async () => {
      if (await mkdir(systemFolder, { recursive: true }) !== undefined) await chmod(systemFolder, 0o711)
      const home = join(systemFolder, randomBytes(8).toString('hex'))
      await mkdir(home)
      return home
    },
    async () => await mkdtemp(join(await realpath(tmpdir()), 'loyalty-ledger-'))
  ]
  for (const make of candidates) {
    const home = await make().catch(() => undefined)
    if (home === undefined) continue
    await chmod(home, 0o711)
    if (await canEnter(account, home)) return home
  }
  throw new EmbeddedPostgresError('no_permission', `Account ${account?.name ?? ''}, which runs PostgreSQL, can enter neither the data folder nor ${systemFolder} nor ${tmpdir()}. Choose a DATA_DIR that it can enter.`)
}

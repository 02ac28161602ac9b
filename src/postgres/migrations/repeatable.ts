import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type pg from 'pg'

/** Folders of files that hold the current text of one thing each, in the order in which they are applied. */
const FOLDERS = ['functions', 'views'] as const

/**
 * A file that can be applied again whenever its text changes. `name`: its path below the migrations, without `.sql`.
 */
export interface RepeatableFile { name: string, text: string, digest: string }

/** `pending`: never applied as they are. `replaced`: applied as they are, and another text after that. */
export interface RepeatableStatus { pending: RepeatableFile[], replaced: RepeatableFile[] }

/** Functions first, since views may use them; in each folder by name. */
export async function listRepeatable (dir: string): Promise<RepeatableFile[]> {
  const folders = await Promise.all(FOLDERS.filter(folder => existsSync(join(dir, folder))).map(async folder => {
    const names = (await readdir(join(dir, folder))).filter(name => /^[^.].*\.sql$/.test(name)).sort()
    return await Promise.all(names.map(async name => {
      const text = await readFile(join(dir, folder, name), 'utf8')
      return { name: `${folder}/${name.slice(0, -'.sql'.length)}`, text, digest: createHash('sha256').update(text).digest('hex') }
    }))
  }))
  return folders.flat()
}

/**
 * Compares the files with what the database records. A replaced file is not pending: a service that runs while a newer
 * version migrates, or that goes back to the version before, stays ready.
 */
export async function repeatableStatus (db: pg.ClientBase | pg.Pool, files: readonly RepeatableFile[]): Promise<RepeatableStatus> {
  const applied = await readDigests(db)
  const pending = files.filter(({ name, digest }) => applied.get(name)?.includes(digest) !== true)
  const replaced = files.filter(({ name, digest }) => applied.get(name)?.slice(1).includes(digest) === true)
  return { pending, replaced }
}

/**
 * Applies files and records them, all or none: the caller opens and commits the transaction.
 * @param tried gets the name of each
 */
export async function applyRepeatable (client: pg.ClientBase, files: readonly RepeatableFile[], tried: { name: string }): Promise<void> {
  for (const { name, text, digest } of files) {
    tried.name = name
    await client.query(text)
    await client.query(`
      insert into ledger.repeatable_files (name, digest) values ($1, decode($2, 'hex'))
      on conflict (name, digest) do update set applied_at = excluded.applied_at`, [name, digest])
  }
}

/** By name, the newest first. A database before the baseline has none. */
async function readDigests (db: pg.ClientBase | pg.Pool): Promise<Map<string, string[]>> {
  const digests = new Map<string, string[]>()
  const { rows: [found] } = await db.query<{ exists: boolean }>("select to_regclass('ledger.repeatable_files') is not null as exists")
  if (found?.exists !== true) return digests
  const { rows } = await db.query<{ name: string, digest: string }>("select name, encode(digest, 'hex') as digest from ledger.repeatable_files order by applied_at desc")
  for (const { name, digest } of rows) digests.set(name, [...digests.get(name) ?? [], digest])
  return digests
}

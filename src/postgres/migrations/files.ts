import { readdir, readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { MigrationBuilder } from 'node-pg-migrate'

/** The migrations of this version of the code. */
export const migrationsFolder = fileURLToPath(new URL('migrations/', import.meta.resolve('#root/package.json')))

/** Skips hidden files (an editor's) and whatever is not SQL (a README). */
export const notMigrations = '(\\..*|(?!.*\\.sql$).*)'

export type Direction = 'up' | 'down'

/**
 * One direction of a migration. `live`: its head says "outside a transaction", as the statements need that a table in use
 * can bear for long (`create index concurrently`). Each of them then stands alone, and the whole can be run again after a failure.
 */
export interface Script { live: boolean, statements: string[] }

/** Names without `.sql`, oldest first. */
export async function listMigrations (dir: string): Promise<string[]> {
  const ignored = new RegExp(`^${notMigrations}$`)
  return (await readdir(dir))
    .filter(name => !ignored.test(name))
    .map(name => name.slice(0, -'.sql'.length))
    .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10) || (a < b ? -1 : 1))
}

/**
 * A direction of a migration's text; undefined where the text has none.
 * @throws Error when a live one holds what cannot be told apart into statements
 */
export function scriptOf (text: string, direction: Direction): Script | undefined {
  const heads = [...text.matchAll(/^--[ -]*(up|down) migration\b(.*)$/gim)]
  const at = heads.findIndex(head => head[1]?.toLowerCase() === direction)
  if (at === -1) return undefined
  const part = text.slice(heads[at]?.index, heads[at + 1]?.index)
  if (!/outside a transaction/i.test(heads[at]?.[2] ?? '')) return { live: false, statements: [part] }
  // Several statements in one message are one transaction, whether they say so or not.
  const plain = part.replaceAll(/--.*$/gm, '')
  if (/\$\w*\$|'[^']*;/.test(plain)) throw new Error('what runs outside a transaction holds plain statements only: move functions and texts with a semicolon to a migration of their own')
  return { live: true, statements: plain.split(';').map(statement => statement.trim()).filter(statement => statement !== '') }
}

/** Reads migrations as the library wants them; `before` is run first, in the same transaction where there is one. */
export function loadScripts (before: (script: Script, name: string) => string) {
  return async (files: string[]) => await Promise.all(files.map(async file => {
    const text = await readFile(file, 'utf8')
    const action = (direction: Direction): false | ((pgm: MigrationBuilder) => void) => {
      const script = scriptOf(text, direction)
      if (script === undefined) return false
      return pgm => {
        if (script.live) pgm.noTransaction()
        pgm.sql(before(script, basename(file, '.sql')))
        for (const statement of script.statements) pgm.sql(statement)
      }
    }
    return { id: file, filePaths: [file], actions: { up: action('up'), down: action('down') } }
  }))
}

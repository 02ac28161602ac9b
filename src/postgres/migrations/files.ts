import { readdir, readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { MigrationBuilder } from 'node-pg-migrate'

/** The migrations of this version of the code. */
export const migrationsFolder = fileURLToPath(new URL('migrations/', import.meta.resolve('#root/package.json')))

/** Ignores hidden files (of editors) and whatever is not SQL (a README). */
export const notMigrations = '(\\..*|(?!.*\\.sql$).*)'

export type Direction = 'up' | 'down'

/**
 * One direction of a migration. `live`: its head says "outside a transaction". Such statements run on a table in use
 * for long (`create index concurrently`). Each commits by itself, and all can be run again after a failure.
 */
export interface Script { live: boolean, statements: string[] }

/** Names without `.sql`, oldest first. */
export async function listMigrations (dir: string): Promise<string[]> {
  const ignored = new RegExp(`^${notMigrations}$`)
  return (await readdir(dir, { withFileTypes: true }))
    .filter(file => !file.isDirectory() && !ignored.test(file.name))
    .map(({ name }) => basename(name, '.sql'))
    .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10) || (a < b ? -1 : 1))
}

/**
 * One direction of a migration's text; undefined where the text has none.
 * @throws Error when a live one holds statements that cannot be separated safely
 */
export function scriptOf (text: string, direction: Direction): Script | undefined {
  const heads = [...text.matchAll(/^--[ -]*(up|down) migration\b(.*)$/gim)]
  const at = heads.findIndex(head => head[1]?.toLowerCase() === direction)
  if (at === -1) return undefined
  const part = text.slice(heads[at]?.index, heads[at + 1]?.index)
  if (!/outside a transaction/i.test(heads[at]?.[2] ?? '')) return { live: false, statements: [part] }
  // PostgreSQL runs several statements of one message in one transaction, so each is sent by itself.
  const plain = part.replaceAll(/--.*$/gm, '')
  if (/\$\w*\$|'[^']*;/.test(plain)) throw new Error('a migration outside a transaction holds plain statements only: move functions and texts with a semicolon to a migration of their own')
  return { live: true, statements: plain.split(';').map(statement => statement.trim()).filter(statement => statement !== '') }
}

/**
 * Loads migrations for the library, whose own loader sends a file as one message and knows no lock timeout.
 * @param before returns a statement to run first, in the same transaction where there is one
 */
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

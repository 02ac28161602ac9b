// A copy of the sources with one bug in it, as plain JavaScript that runs beside the sources themselves.
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import ts from 'typescript'
import type { Plant } from '../simulator/plants.ts'
import type * as Histories from './histories.ts'
import { root } from './root.ts'

/**
 * Copies the compiled sources and plants a bug in the copy.
 * @param folder inside the repository: packages are found from there
 * @returns the copy's own `test/support/histories.ts`
 * @throws Error as `planted`
 */
export async function plant (plant: Plant, folder: string): Promise<typeof Histories> {
  const source = planted(plant)
  for (const part of ['src', 'simulator', 'test/support']) cpSync(join(root, 'dist', part), join(folder, part), { recursive: true })
  // The server of this run of tests is found from the folder of the copy.
  mkdirSync(join(folder, '.tap'), { recursive: true })
  symlinkSync(join(root, '.tap/postgres'), join(folder, '.tap/postgres'))
  write(join(folder, 'src', plant.file), source)
  return await import(pathToFileURL(join(folder, 'test/support/histories.js')).href) as typeof Histories
}

/**
 * The file with the bug in it.
 * @throws Error when the text to replace is not there exactly once: such a plant proves nothing
 */
export function planted ({ bug, file, find, instead }: Plant): string {
  const source = readFileSync(join(root, 'src', file), 'utf8')
  const places = source.split(find).length - 1
  if (places !== 1) throw new Error(`"${bug}" cannot be planted: in src/${file} this stands ${places} times: ${find}`)
  return source.replace(find, () => instead)
}

function write (file: string, source: string): void {
  const { outputText } = ts.transpileModule(source, {
    compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext, rewriteRelativeImportExtensions: true, verbatimModuleSyntax: true }
  })
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file.replace(/\.ts$/, '.js'), outputText)
}

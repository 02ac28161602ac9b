// Runs test files in this process, one after the other. The comments say in the results where each begins.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { root } from './root.ts'

// tap names the folders of tests after the program and its arguments: the first file only, which no other process has.
const files = process.argv.splice(2)
process.argv[1] = join(root, files[0] ?? '')
const { default: t } = await import('tap')

for (const file of files) {
  t.comment(`file: ${file}`)
  await import(pathToFileURL(join(root, 'dist', file.replace(/\.ts$/, '.js'))).href)
}

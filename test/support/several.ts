// Runs several test files in this process, one after the other. The comments say in the results where each begins.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { root } from './root.ts'

for (const file of process.argv.slice(2)) {
  t.comment(`file: ${file}`)
  await import(pathToFileURL(join(root, 'dist', file.replace(/\.ts$/, '.js'))).href)
}

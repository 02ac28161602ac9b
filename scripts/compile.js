// Compiles src, simulator and test to dist, where that is needed: this is type check and build at once.
//
//   node scripts/compile.js               everything, for tests
//   node scripts/compile.js --shipped     without the tests, for `make run` and the image

import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, readdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.resolve(import.meta.dirname, '..')
const dist = path.join(root, 'dist')
const main = path.join(dist, 'src/main.js')

/** The compiler writes only what changed; what it wrote for a source that is gone would still be run. */
function removeLeftovers () {
  if (!existsSync(dist)) return
  for (const file of readdirSync(dist, { recursive: true })) {
    if (!/\.js(\.map)?$/.test(file)) continue
    if (!existsSync(path.join(root, file.replace(/\.js(\.map)?$/, '.ts')))) rmSync(path.join(dist, file))
  }
}

/**
 * The compiler writes only what changed since it wrote last, even where that is gone: make deletes the program after a
 * build that failed. So it starts anew where something is missing.
 */
function startAnewWhereIncomplete (folders) {
  const sources = folders.flatMap(folder => readdirSync(path.join(root, folder), { recursive: true }).map(file => path.join(folder, file)))
  const missing = sources.some(file => file.endsWith('.ts') && !file.endsWith('.d.ts') && !existsSync(path.join(dist, file.replace(/\.ts$/, '.js'))))
  if (missing) for (const memory of ['.tsbuildinfo', '.tsbuildinfo-shipped']) rmSync(path.join(dist, memory), { force: true })
}

/** @returns whether there was no error; without one for the types, dist is up to date */
export function compile ({ shippedOnly = false } = {}) {
  removeLeftovers()
  startAnewWhereIncomplete(shippedOnly ? ['src', 'simulator'] : ['src', 'simulator', 'test'])
  const compiler = fileURLToPath(import.meta.resolve('typescript/bin/tsc'))
  const project = shippedOnly ? 'tsconfig.build.json' : 'tsconfig.json'
  const { status } = spawnSync(process.execPath, [compiler, '--build', project], { cwd: root, stdio: 'inherit' })
  if (existsSync(main)) chmodSync(main, 0o755)
  return status === 0
}

if (process.argv[1] === import.meta.filename) process.exitCode = compile({ shippedOnly: process.argv.includes('--shipped') }) ? 0 : 1

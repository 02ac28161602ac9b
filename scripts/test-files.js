// Which test files there are, and which of them need what.

import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'

export const root = path.resolve(import.meta.dirname, '..')

/** What imports this, directly or not, needs the database server that is started for the run: it is in the set `db`. */
const needsServer = path.join(root, 'test/support/run.ts')

/** What imports this, directly or not, draws cases by chance: `npm run test:long` tries more of them. */
const drawsCases = path.join(root, 'test/support/chance.ts')

/**
 * What a test file may use of its process only when it is alone in it: files of its own, V8, other processes, ESLint's
 * memory.
 */
const usesItsProcess = /testdir|from '(node:(child_process|v8|worker_threads)|eslint)'/

/**
 * Files that take longest start first, so that none of them is left to run alone at the end. Seconds of a quiet machine
 * in order.
 */
const slowest = [
  'cli/serve', 'chaos/chaos', 'projections/histories', 'chaos/matrix', 'simulator/plants', 'cli/quarantine', 'cli/simulate', 'cli/verify',
  'transfer/import/import', 'transfer/export', 'engine/', 'erasure/', 'chaos/', 'history/', 'lint', 'postgres/'
]

/** All test files, as paths from the root, the slowest first. */
export function testFiles () {
  return readdirSync(path.join(root, 'test'), { recursive: true })
    .filter(file => file.endsWith('.test.ts'))
    .map(file => path.join('test', file))
    .sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))
}

function rank (file) {
  const index = slowest.findIndex(name => file.startsWith(`test/${name}`))
  return index === -1 ? slowest.length : index
}

export const isDb = file => reaches(path.join(root, file), needsServer)

export const isLong = file => reaches(path.join(root, file), drawsCases)

/** Unit tests that leave no trace in their process share one: to start it costs more than most of them run. */
export const mayShareProcess = file => !isDb(file) && !usesItsProcess.test(readFileSync(path.join(root, file), 'utf8'))

const imports = new Map()

function reaches (file, goal, seen = new Set()) {
  if (file === goal) return true
  if (seen.has(file)) return false
  seen.add(file)
  if (!imports.has(file)) imports.set(file, importsOf(file))
  return imports.get(file).some(other => reaches(other, goal, seen))
}

function importsOf (file) {
  const specifiers = readFileSync(file, 'utf8').matchAll(/^(?:import|\} from|export .* from)\b.*'(\.[^']+\.ts)'/gm)
  return [...specifiers].filter(([line]) => !line.startsWith('import type')).map(([, name]) => path.resolve(path.dirname(file), name))
}

// Which test files there are, and which of them need what.

import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'

export const root = path.resolve(import.meta.dirname, '..')

/** What imports this, directly or not, needs the database server that is started for the run: it is in the set `db`. */
const needsServer = path.join(root, 'test/support/run.ts')

/** What imports this, directly or not, draws cases by chance: `npm run test:long` tries more of them. */
const drawsCases = path.join(root, 'test/support/chance.ts')

/** A test file that looks at its process, its memory or its threads must be alone in it. */
const looksAtItsProcess = /from '(node:(v8|worker_threads)|eslint)'/

/**
 * Files that take longest start first, so that none of them is left to run alone at the end. Seconds of a quiet machine
 * in order.
 */
const SLOWEST = [
  'cli/serve', 'chaos/chaos', 'projections/histories', 'chaos/matrix', 'simulator/plants', 'cli/', 'transfer/', 'engine/', 'erasure/', 'chaos/',
  'history/', 'lint', 'postgres/'
]
const ALONE = SLOWEST.slice(0, 5)

/** All test files, as paths from the root, the slowest first. */
export function testFiles () {
  return readdirSync(path.join(root, 'test'), { recursive: true })
    .filter(file => file.endsWith('.test.ts'))
    .map(file => path.join('test', file))
    .sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))
}

function rank (file) {
  const index = SLOWEST.findIndex(name => file.startsWith(`test/${name}`))
  return index === -1 ? SLOWEST.length : index
}

/** Which set a test file is in: `house` is about the repository itself, its lint, build and deployment. */
export function setOf (file) {
  if (path.dirname(file) === 'test') return 'house'
  return isDb(file) ? 'db' : 'unit'
}

export const isDb = file => reaches(path.join(root, file), needsServer)

export const isLong = file => reaches(path.join(root, file), drawsCases)

/** Files in one process at most: the more, the later the last of them begins. */
const TOGETHER = 8

/**
 * Files by process: neighbours share one, because to start a process, load the program and warm it up costs most files
 * more than their tests do. Unit tests come last, where they fill the last gaps.
 * @returns {string[][]}
 */
export function byProcess (files) {
  const processes = []
  for (const file of [...files.filter(isDb), ...files.filter(file => !isDb(file))]) {
    const last = processes.at(-1)
    if (last !== undefined && last.length < TOGETHER && isDb(last[0]) === isDb(file) && !isAlone(last[0]) && !isAlone(file)) last.push(file)
    else processes.push([file])
  }
  return processes
}

const isAlone = file => ALONE.some(name => file.startsWith(`test/${name}`)) || looksAtItsProcess.test(readFileSync(path.join(root, file), 'utf8'))

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

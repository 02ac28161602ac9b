// Every check of the project: `npm test`, and through it `make test` and CI.
//
//   npm test                    compile, then lint beside all tests
//   npm test -- FILE…           compile, then these tests: test/ledger/card.test.ts, or a part of such a name
//   npm run test:unit           compile, then the tests that need no database
//   npm run test:long           compile, then what takes long: random seeds, every bug planted, kills by the hundred
//   node scripts/test.js --count FILE    only count a TAP file
//
// The last line is "N passed, N failed": the test points of the stream that each file wrote, counted with tap's own parser, since
// an exit code says only "not all was well". A check that fails counts as one failed, and so does a test file that crashed,
// was killed, timed out or tested nothing. A failed check does not stop the next: one run should show all that is wrong.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { compile } from './compile.js'

const root = path.resolve(import.meta.dirname, '..')
/** The TAP of each file of the last run, for whoever wants more than the report. */
const resultsFolder = path.join(root, '.tap/results')

/** Files that run at the same time. More of them only wait for each other, where there are two cores. */
const JOBS = 2

/** Far beyond any honest run: what waits for a pipe that nobody closes would otherwise hold CI for hours. */
const FILE_TIMEOUT_MS = 400_000
const STEP_TIMEOUT_MS = 15 * 60_000
const LONG_TIMEOUT_MS = 3 * 3_600_000

/** Whatever imports this, directly or not, runs on the database server that is started for the run. */
const needsServer = path.join(root, 'test/support/run.ts')

/** They take longest, so they begin first: the last to begin is the last to end. */
const slowest = ['app/serve', 'cli/verify', 'cli/simulate', 'cli/quarantine', 'chaos/', 'projections/histories', 'simulator/plants', 'transfer/import']

/** Enough for a difference; the whole stream stays in the results file. */
const detailLines = 40

const { Parser } = tapParser()

/** The parser is a dependency of tap's core and not ours, so it is looked up from where tap's core looks it up. */
function tapParser () {
  const tap = createRequire(import.meta.url).resolve('tap')
  const core = createRequire(tap).resolve('@tapjs/core')
  return createRequire(core)('tap-parser')
}

/**
 * Counts the leaves of a TAP stream: the assertions, and the tests without any. A test or a file that failed although
 * all within it passed (a crash, a signal, a plan not kept) is one failure of its own.
 */
function count (tap) {
  const total = watch(new Parser(), tap)
  if (total.passed === 0 && total.failures.length === 0) total.failures.push('no test was run')
  return total
}

function watch (parser, tap) {
  const sum = { passed: 0, skipped: 0, failures: [] }
  let subtest

  parser.on('child', child => { subtest = watch(child) })
  parser.on('assert', point => {
    const inside = subtest
    subtest = undefined
    if (inside !== undefined) {
      sum.passed += inside.passed
      sum.skipped += inside.skipped
      sum.failures.push(...inside.failures)
    }
    if (point.skip === 'no tests found') {
      sum.failures.push(`${point.fullname}: tested nothing`)
    } else if (point.skip || point.todo) {
      sum.skipped += 1
    } else if (!point.ok && (inside === undefined || inside.failures.length === 0)) {
      sum.failures.push(point.fullname + why(point.diag) + detail(point.diag))
    } else if (point.ok && (inside === undefined || isEmpty(inside))) {
      sum.passed += 1
    }
  })
  parser.on('bailout', reason => sum.failures.push(`bailed out: ${reason}`))
  parser.on('complete', results => {
    if (parser.parent === null && !results.ok && sum.failures.length === 0) sum.failures.push('the results are incomplete')
  })

  if (tap !== undefined) parser.end(tap)
  return sum
}

function isEmpty ({ passed, skipped, failures }) {
  return passed + skipped + failures.length === 0
}

function why (diag) {
  if (diag?.expired) return ': timed out'
  if (diag?.signal) return `: killed by ${diag.signal}`
  if (diag?.exitCode) return `: exit code ${diag.exitCode}`
  return ''
}

/** What tap saw, for a reader who has only this log: the difference, or the error's stack, and where. */
function detail (diag) {
  const { lineNumber, fileName } = diag?.at ?? {}
  const place = fileName === undefined ? [] : [`at ${fileName}:${lineNumber}`]
  const text = diag?.diff ?? diag?.stack ?? ''
  const lines = [...place, ...text.trimEnd().split('\n').filter(line => line !== '').slice(0, detailLines)]
  return lines.map(line => `\n      ${line}`).join('')
}

/** Runs a program to its end, or to the time limit. @returns what went wrong, or undefined */
function run (name, command, args, { env = {}, timeout = STEP_TIMEOUT_MS, quiet = false } = {}) {
  const started = performance.now()
  return new Promise(resolve => {
    let said = ''
    const child = spawn(command, args, { cwd: root, env: { ...process.env, ...env }, stdio: ['ignore', quiet ? 'pipe' : 'inherit', quiet ? 'pipe' : 'inherit'] })
    child.stdout?.on('data', chunk => { said += chunk })
    child.stderr?.on('data', chunk => { said += chunk })
    const late = setTimeout(() => child.kill('SIGKILL'), timeout)
    child.on('error', error => { said += error.message })
    child.on('close', (status, signal) => {
      clearTimeout(late)
      const seconds = ((performance.now() - started) / 1000).toFixed(1)
      const reason = signal === null ? `exit code ${status}` : `killed by ${signal}`
      if (said !== '') console.log(said)
      console.log(status === 0 ? `${name}: ok (${seconds} s)` : `${name}: failed, ${reason} (${seconds} s)`)
      resolve(status === 0 ? undefined : `${name}: ${reason}`)
    })
  })
}

function testFiles () {
  return readdirSync(path.join(root, 'test'), { recursive: true })
    .filter(file => file.endsWith('.test.ts'))
    .map(file => path.join(root, 'test', file))
    .sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))
}

function rank (file) {
  const index = slowest.findIndex(name => file.includes(name))
  return index === -1 ? slowest.length : index
}

const imports = new Map()

/** Does a file import, directly or not, what the set of tests with a database is known by? */
function reachesServer (file, seen = new Set()) {
  if (file === needsServer) return true
  if (seen.has(file)) return false
  seen.add(file)
  if (!imports.has(file)) {
    const specifiers = readFileSync(file, 'utf8').matchAll(/^(?:import|\} from|export .* from)\b.*'(\.[^']+\.ts)'/gm)
    imports.set(file, [...specifiers].filter(([line]) => !line.startsWith('import type')).map(([, name]) => path.resolve(path.dirname(file), name)))
  }
  return imports.get(file).some(other => reachesServer(other, seen))
}

/** Runs tests, two files at a time; where one needs the database server, it is started before and stopped after. */
async function runTests (files, { timeout = FILE_TIMEOUT_MS, env = {} } = {}) {
  const total = { passed: 0, skipped: 0, failures: files.length === 0 ? ['no test file has such a name'] : [] }
  rmSync(resultsFolder, { recursive: true, force: true })
  const withServer = files.some(file => reachesServer(file))
  if (withServer) await run('database', process.execPath, [compiled('test/support/cluster-start.ts')])
  const queue = [...files]
  await Promise.all(Array.from({ length: JOBS }, async () => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      const { passed, skipped, failures } = await runFile(file, { timeout, env })
      total.passed += passed
      total.skipped += skipped
      total.failures.push(...failures)
    }
  }))
  if (withServer) await run('database', process.execPath, [compiled('test/support/cluster-stop.ts')])
  return total
}

const compiled = file => path.join(root, 'dist', file.replace(/\.ts$/, '.js'))

/** Runs a test file as tap's runner would, without its loaders and its live report: those cost each file a second. */
async function runFile (file, { timeout, env }) {
  const started = performance.now()
  const name = path.relative(root, file)
  const results = path.join(resultsFolder, `${name}.tap`)
  mkdirSync(path.dirname(results), { recursive: true })
  const parser = new Parser()
  const sum = watch(parser)
  const child = spawn(process.execPath, ['--enable-source-maps', compiled(name)], {
    cwd: root, env: { ...process.env, TAP: '1', TAP_TIMEOUT: String(timeout / 1000), ...env }, stdio: ['ignore', 'pipe', 'inherit']
  })
  child.stdout.pipe(createWriteStream(results))
  child.stdout.on('data', chunk => parser.write(chunk))
  let late = false
  const limit = setTimeout(() => {
    late = true
    child.kill('SIGKILL')
  }, timeout)
  const [code, signal] = await once(child, 'close')
  clearTimeout(limit)
  parser.end()
  if (late) sum.failures.push(`took longer than ${timeout / 1000} s`)
  else if ((code !== 0 || signal !== null) && sum.failures.length === 0) sum.failures.push(signal === null ? `exit code ${code}` : `killed by ${signal}`)
  else if (isEmpty(sum)) sum.failures.push('tested nothing')
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  console.log(`${sum.failures.length === 0 ? 'ok  ' : 'FAIL'} ${seconds.padStart(6)} s ${String(sum.passed).padStart(6)}  ${name}`)
  return { ...sum, failures: sum.failures.map(failure => `${name} > ${failure}`) }
}

function report ({ passed, skipped, failures }) {
  if (failures.length > 0) {
    console.log('\nFailed:')
    for (const failure of failures) console.log(`  ✖ ${failure}`)
  }
  if (skipped > 0) console.log(`\n${skipped} skipped or to do`)
  console.log(`\n${passed} passed, ${failures.length} failed`)
  // Not process.exit(): it may cut off what a pipe has not taken yet, and that would be the last line.
  process.exitCode = failures.length === 0 ? 0 : 1
}

const lint = () => run('lint', process.execPath, ['node_modules/.bin/eslint', '--max-warnings', '0', '.'], { quiet: true })

async function check (args) {
  const started = performance.now()
  const checks = [compile() ? undefined : 'compile: the types do not fit']
  console.log(`compile: ${checks[0] === undefined ? 'ok' : 'failed'} (${((performance.now() - started) / 1000).toFixed(1)} s)`)
  const all = testFiles()
  const named = args.filter(arg => !arg.startsWith('--'))
  let tests
  if (named.length > 0) {
    tests = await runTests(all.filter(file => named.some(name => file.includes(name))))
  } else if (args.includes('--unit')) {
    tests = await runTests(all.filter(file => !reachesServer(file)))
  } else if (args.includes('--long')) {
    tests = await runTests(all.filter(file => /\/(chaos|histories|matrix|plants)\.test\.ts$/.test(file)), { timeout: LONG_TIMEOUT_MS, env: { TEST_LONG: '1' } })
  } else {
    const [failed, ran] = await Promise.all([lint(), runTests(all)])
    checks.push(failed)
    tests = ran
  }
  report({ ...tests, failures: [...checks.filter(failure => failure !== undefined), ...tests.failures] })
}

const args = process.argv.slice(2)
if (args[0] === '--count' && args[1] !== undefined) {
  report(count(readFileSync(args[1], 'utf8')))
} else if (args.some(arg => arg.startsWith('--') && !['--unit', '--long'].includes(arg))) {
  console.error('usage: node scripts/test.js [--unit | --long | FILE…] | --count FILE')
  process.exitCode = 2
} else {
  await check(args)
}

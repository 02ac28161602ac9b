// Every check of the project, in order: `npm test`, and through it `make test` and CI.
//
//   node scripts/test.js                 lint, typecheck, build, tests; the last line is "N passed, N failed"
//   node scripts/test.js --count FILE    only count a TAP file, with the same last line
//
// A failed check does not stop the next: one run should show all that is wrong. The numbers are test points of the
// stream that tap wrote, counted with tap's own parser, since an exit code says only "not all was well". A check that
// fails counts as one failed, and so does a test file that crashed, was killed, timed out or tested nothing.

import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'

const root = path.resolve(import.meta.dirname, '..')
const resultsFile = path.join(root, '.tap', 'results.tap')

/** Far beyond any honest run; a runner that waits for a pipe nobody closes would otherwise hold CI for hours. */
const stepTimeoutMs = 15 * 60_000

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

/** Runs a script of package.json; answers what went wrong, or undefined. */
function run (script, args = [], env = {}) {
  console.log(`\n── ${script} ${'─'.repeat(60 - script.length)}`)
  const started = performance.now()
  const { status, signal, error } = spawnSync('npm', ['run', '--silent', script, '--', ...args], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: 'inherit',
    shell: process.platform === 'win32',
    timeout: stepTimeoutMs,
    killSignal: 'SIGKILL'
  })
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  if (status === 0) {
    console.log(`${script}: ok (${seconds} s)`)
    return undefined
  }
  const reason = error?.code === 'ETIMEDOUT' ? 'took too long' : error?.message ?? (signal === null ? `exit code ${status}` : `killed by ${signal}`)
  console.log(`${script}: failed, ${reason} (${seconds} s)`)
  return `${script}: ${reason}`
}

function runTests () {
  rmSync(resultsFile, { force: true })
  mkdirSync(path.dirname(resultsFile), { recursive: true })
  // In a pipe tap's live report would repeat itself for every step; CI=1 makes it print each file once.
  const plain = !process.stdout.isTTY
  const failed = run('test:unit', [`--output-file=${resultsFile}`, '--reporter=base', ...plain ? ['--no-color'] : []], plain ? { CI: '1' } : {})
  const total = count(readResults())
  // For example a coverage limit that was missed: nothing failed in the stream, and yet tap is not content.
  if (failed !== undefined && total.failures.length === 0) total.failures.push(failed)
  return total
}

function readResults () {
  try {
    return readFileSync(resultsFile, 'utf8')
  } catch (error) {
    if (error.code === 'ENOENT') return 'Bail out! tap left no results\n'
    throw error
  }
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

const [option, file] = process.argv.slice(2)
if (option === '--count' && file !== undefined) {
  report(count(readFileSync(file, 'utf8')))
} else if (option === undefined) {
  const checks = ['lint', 'typecheck', 'build'].map(script => run(script)).filter(failure => failure !== undefined)
  const tests = runTests()
  report({ ...tests, failures: [...checks, ...tests.failures] })
} else {
  console.error('usage: node scripts/test.js [--count FILE]')
  process.exitCode = 2
}

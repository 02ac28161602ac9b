// Every check of the project: `npm test`, and through it `make test` and CI.
//
//   npm test                    compile, then lint beside all tests
//   npm test -- FILE…           compile, then these tests: test/ledger/card.test.ts, or a part of such a name
//   npm run test:unit           compile, then the tests of the program that need no database
//   npm run test:long           compile, then what draws cases by chance: more of them, and others each time
//   npm run test:long -- FILE…  the same of these tests only
//   node scripts/test.js --count FILE    only count a TAP file
//
// The last line is "N passed, N failed": the test points that the files wrote, not exit codes, which say only "not all
// was well". A check that fails counts as one failed, and so does a test file that crashed, was killed, timed out or
// tested nothing. A failed check does not stop the next: one run should show all that is wrong.

import { readFileSync } from 'node:fs'
import { compile } from './compile.js'
import { run } from './processes.js'
import { runTests } from './run-tests.js'
import { countPoints } from './tap-results.js'
import { isLong, setOf, testFiles } from './test-files.js'

const LONG_TIMEOUT_MS = 3 * 3_600_000

/** How many of the slowest files the report names. */
const SLOWEST = 10

/** At this niceness the linter gets a quarter of a busy core, and ends well before the tests do. */
const lint = () => run('lint', process.execPath, ['node_modules/.bin/eslint', '--max-warnings', '0', '.'], { quiet: true, nice: 5 })

async function check (args) {
  const started = performance.now()
  const compiled = compile()
  console.log(`compile: ${compiled ? 'ok' : 'failed'} (${((performance.now() - started) / 1000).toFixed(1)} s)`)
  const named = args.filter(arg => !arg.startsWith('--'))
  const chosen = testFiles().filter(file => named.length === 0 || named.some(name => file.includes(name)))
  const checks = [compiled ? undefined : 'compile: the types do not fit']
  let tests
  if (args.includes('--long')) {
    tests = await runTests(chosen.filter(isLong), { timeout_ms: LONG_TIMEOUT_MS, env: { TEST_LONG: '1' } })
  } else if (args.includes('--unit')) {
    tests = await runTests(chosen.filter(file => setOf(file) === 'unit'))
  } else if (named.length > 0) {
    tests = await runTests(chosen)
  } else {
    const [failed, ran] = await Promise.all([lint(), runTests(chosen)])
    checks.push(failed)
    tests = ran
  }
  report({ ...tests, failures: [...checks.filter(failure => failure !== undefined), ...tests.failures] })
}

function report ({ passed, skipped, failures, sets, times = [] }) {
  if (failures.length > 0) {
    console.log('\nFailed:')
    for (const failure of failures) console.log(`  ✖ ${failure}`)
  }
  if (times.length > SLOWEST) {
    console.log('\nSlowest:')
    for (const { seconds, file } of times.toSorted((a, b) => b.seconds - a.seconds).slice(0, SLOWEST)) console.log(`${seconds.toFixed(1).padStart(8)} s  ${file}`)
  }
  if (skipped > 0) console.log(`\n${skipped} skipped or to do`)
  if (sets !== undefined) console.log(`\n${sets.unit} unit, ${sets.db} db, ${sets.house} house`)
  console.log(`\n${passed} passed, ${failures.length} failed`)
  // Not process.exit(): it may cut off what a pipe has not taken yet, and that would be the last line.
  process.exitCode = failures.length === 0 ? 0 : 1
}

const args = process.argv.slice(2)
if (args[0] === '--count' && args[1] !== undefined) {
  report(countPoints(readFileSync(args[1], 'utf8')))
} else if (args.some(arg => arg.startsWith('--') && !['--unit', '--long'].includes(arg))) {
  console.error('usage: node scripts/test.js [--unit | --long] [FILE…] | --count FILE')
  process.exitCode = 2
} else {
  await check(args)
}

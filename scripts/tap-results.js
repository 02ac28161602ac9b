// Counts the test points of a TAP stream with tap's own parser.

import { createRequire } from 'node:module'

/** Enough for a difference; the whole stream is in the results file. */
const DETAIL_LINES = 40

/** The parser is a dependency of tap's core and not ours, so it is resolved from tap's core. */
function tapParser () {
  const tap = createRequire(import.meta.url).resolve('tap')
  const core = createRequire(tap).resolve('@tapjs/core')
  return createRequire(core)('tap-parser')
}

export const { Parser } = tapParser()

/**
 * Counts the leaves of a TAP stream: the assertions, and the tests without any. A test or a file that failed although
 * all within it passed (a crash, a signal, a plan not kept) is one failure of its own.
 */
export function countPoints (tap) {
  const parser = new Parser()
  const sum = watchPoints(parser)
  parser.end(tap)
  if (isEmpty(sum)) sum.failures.push('no test was run')
  return sum
}

/** @returns counts that grow as the parser reads */
export function watchPoints (parser) {
  const sum = { passed: 0, skipped: 0, failures: [] }
  let subtest

  parser.on('child', child => { subtest = watchPoints(child) })
  parser.on('assert', point => {
    const inside = subtest
    subtest = undefined
    addPoint(sum, point, inside)
  })
  parser.on('bailout', reason => sum.failures.push(`bailed out: ${reason}`))
  parser.on('complete', results => {
    if (parser.parent === null && !results.ok && sum.failures.length === 0) sum.failures.push('the results are incomplete')
  })
  return sum
}

/** @param inside counts of the subtest that the point sums up, if it is one */
function addPoint (sum, point, inside) {
  if (inside !== undefined) addCounts(sum, inside)
  if (point.skip === 'no tests found') {
    sum.failures.push(`${point.fullname}: tested nothing`)
  } else if (point.skip || point.todo) {
    sum.skipped += 1
  } else if (!point.ok && (inside === undefined || inside.failures.length === 0)) {
    sum.failures.push(point.fullname + why(point.diag) + detail(point.diag))
  } else if (point.ok && (inside === undefined || isEmpty(inside))) {
    sum.passed += 1
  }
}

export function addCounts (sum, { passed, skipped, failures }) {
  sum.passed += passed
  sum.skipped += skipped
  sum.failures.push(...failures)
}

export function isEmpty ({ passed, skipped, failures }) {
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
  const lines = [...place, ...text.trimEnd().split('\n').filter(line => line !== '').slice(0, DETAIL_LINES)]
  return lines.map(line => `\n      ${line}`).join('')
}

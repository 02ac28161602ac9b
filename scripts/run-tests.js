// Runs test files, two processes at a time, on one database server where they need one.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, mkdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { byProcess, isDb, root, setOf } from './test-files.js'
import { run, spawned } from './processes.js'
import { addCounts, isEmpty, Parser, watchPoints } from './tap-results.js'

/** The TAP of each process of the last run, for readers who want more than the report. */
const resultsFolder = path.join(root, '.tap/results')

/** Processes that run at the same time. With two cores, more of them only wait for each other. */
const JOBS = 2

/** Far beyond any honest run: a file that waits for a pipe that nobody closes would otherwise hold CI for hours. */
const FILE_TIMEOUT_MS = 400_000

const compiled = file => path.join(root, 'dist', file.replace(/\.ts$/, '.js'))

/** @returns the counts, in all and by set, and how long each file took */
export async function runTests (files, { timeout_ms = FILE_TIMEOUT_MS, env = {} } = {}) {
  const total = { passed: 0, skipped: 0, failures: files.length === 0 ? ['no test file has such a name'] : [], sets: { unit: 0, db: 0, house: 0 }, times: [] }
  rmSync(resultsFolder, { recursive: true, force: true })
  const withServer = files.some(isDb)
  if (withServer) await run('database', process.execPath, [compiled('test/support/cluster-start.ts')])
  const queue = byProcess(files)
  await Promise.all(Array.from({ length: JOBS }, async () => {
    for (let together = queue.shift(); together !== undefined; together = queue.shift()) {
      for (const result of await runProcess(together, { timeout_ms, env })) {
        addCounts(total, result)
        total.sets[setOf(result.file)] += result.passed
        total.times.push(result)
      }
    }
  }))
  if (withServer) await run('database', process.execPath, [compiled('test/support/cluster-stop.ts')])
  return total
}

/**
 * Runs files in a process as tap's runner would, without its loaders and its live report, which cost each file a
 * second.
 */
async function runProcess (files, { timeout_ms, env }) {
  const [first] = files
  const results = path.join(resultsFolder, `${first}.tap`)
  mkdirSync(path.dirname(results), { recursive: true })
  const limit_ms = timeout_ms * files.length
  const child = spawned(spawn(process.execPath, ['--enable-source-maps', compiled('test/support/in-turn.ts'), ...files], {
    cwd: root, env: { ...process.env, TAP: '1', TAP_TIMEOUT: String(limit_ms / 1000), ...env }, stdio: ['ignore', 'pipe', 'inherit']
  }))
  child.stdout.pipe(createWriteStream(results))
  const reading = readResults(files, child.stdout)
  let late = false
  const limit = setTimeout(() => {
    late = true
    child.kill('SIGKILL')
  }, limit_ms)
  const [code, signal] = await once(child, 'close')
  clearTimeout(limit)
  return reading.end(late ? `took longer than ${limit_ms / 1000} s` : signal === null ? code !== 0 && `exit code ${code}` : `killed by ${signal}`)
}

/** Counts for each file what a process writes, and prints a line when a file is done. */
function readResults (files, stdout) {
  const parser = new Parser()
  const sum = watchPoints(parser)
  const done = []
  let before = { passed: 0, skipped: 0, failures: 0 }
  let file = files[0]
  let started = performance.now()

  function next (following) {
    const own = { file, passed: sum.passed - before.passed, skipped: sum.skipped - before.skipped, failures: sum.failures.slice(before.failures) }
    if (isEmpty(own)) own.failures.push('tested nothing')
    own.seconds = (performance.now() - started) / 1000
    own.failures = own.failures.map(failure => `${file} > ${failure}`)
    console.log(`${own.failures.length === 0 ? 'ok  ' : 'FAIL'} ${own.seconds.toFixed(1).padStart(6)} s ${String(own.passed).padStart(6)}  ${file}`)
    done.push(own)
    before = { passed: sum.passed, skipped: sum.skipped, failures: sum.failures.length }
    file = following
    started = performance.now()
  }

  parser.on('comment', comment => {
    const following = /^# file: (.*)$/m.exec(comment)?.[1]
    if (following !== undefined && following !== file) next(following)
  })
  stdout.on('data', chunk => parser.write(chunk))
  return {
    /** @param broken how the process ended, if it did not end well */
    end (broken) {
      parser.end()
      if (broken && sum.failures.length === 0) sum.failures.push(broken)
      next(undefined)
      const missing = files.filter(file => !done.some(own => own.file === file))
      return [...done, ...missing.map(file => ({ file, passed: 0, skipped: 0, failures: [`${file} > was not reached`], seconds: 0 }))]
    }
  }
}

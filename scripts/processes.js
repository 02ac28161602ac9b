// Starts programs, and ends them with this process.

import { spawn } from 'node:child_process'
import { setPriority } from 'node:os'
import { root } from './test-files.js'

/** Far beyond any honest run of a compiler or a linter. */
const STEP_TIMEOUT_MS = 15 * 60_000

const alive = new Set()

/** Whoever ends the run ends its tests too: else they would go on without anybody who reads their results. */
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => {
    for (const child of alive) child.kill('SIGKILL')
    process.kill(process.pid, signal)
  })
}

export function spawned (child) {
  alive.add(child)
  child.once('close', () => { alive.delete(child) })
  return child
}

/**
 * Runs a program to its end, or to the time limit.
 * @param options.quiet prints what it said when it has ended, not between the lines of what runs beside it
 * @param options.nice how far it steps back behind what runs beside it
 * @returns what went wrong, or undefined
 */
export function run (name, command, args, { quiet = false, nice = 0 } = {}) {
  const started = performance.now()
  return new Promise(resolve => {
    let said = ''
    const output = quiet ? 'pipe' : 'inherit'
    const child = spawned(spawn(command, args, { cwd: root, stdio: ['ignore', output, output] }))
    if (nice !== 0 && child.pid !== undefined) setPriority(child.pid, nice)
    child.stdout?.on('data', chunk => { said += chunk })
    child.stderr?.on('data', chunk => { said += chunk })
    const late = setTimeout(() => child.kill('SIGKILL'), STEP_TIMEOUT_MS)
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

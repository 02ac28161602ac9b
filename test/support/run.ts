// What one run of the tests shares: its server and its template database. scripts/test.js is the parent of the process
// that starts the server, of the one that stops it and of every test process, so its number names the run; two runs
// never meet.
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from './root.ts'

/** The run this process belongs to: the process number of scripts/test.js. */
export const runId = process.ppid

const folder = join(root, '.tap/postgres')

/** `url`: the server. `template`: the migrated database to clone, or in `failure` why there is none. */
export interface Run { url: string, template: string, failure?: string }

/** Where the servers of test runs keep their data: one folder a run, named by the run. */
export const dataDirPrefix = join(tmpdir(), 'loyalty-ledger-test-')

export function writeRun (run: Run): void {
  mkdirSync(folder, { recursive: true })
  const file = join(folder, `${runId}.json`)
  writeFileSync(`${file}.draft`, JSON.stringify(run), { mode: 0o600 })
  renameSync(`${file}.draft`, file)
}

export function readRun (): Run {
  try {
    return JSON.parse(readFileSync(join(folder, `${runId}.json`), 'utf8')) as Run
  } catch (cause) {
    throw new Error('No test server: run the file with `npm test -- FILE`, which starts one.', { cause })
  }
}

export function removeRun (id: number = runId): void {
  rmSync(join(folder, `${id}.json`), { force: true })
}

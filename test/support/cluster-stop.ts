// scripts/test.js runs this after the tests: stops the server of this run and removes its data.
import { removeServers } from './orphans.ts'
import { removeRun, runId } from './run.ts'

await removeServers(runId)
removeRun()

import { Command } from 'commander'
import { addExport, addImport, addQuarantine, addReconcile } from './program/deliveries.ts'
import { addAnchor, addErase, addVerify } from './program/log.ts'
import { addParked, addRebuild } from './program/projections.ts'
import { createRun, type Surroundings } from './program/run.ts'
import { addKeys, addMigrate, addServe, addStatus } from './program/service.ts'
import { addDemo, addSimulate } from './program/trial.ts'

/**
 * The command line: every command with its arguments, options and help. A command's module is loaded when the command
 * runs, so `--help` does not load a server.
 */
export function createProgram (surroundings: Surroundings): Command {
  const { about: { description, version } } = surroundings
  const program = new Command('loyalty-ledger')
    .description(`${description}.`)
    .version(version)
    .option('--json', 'print results as JSON, for programs')
    .showHelpAfterError()
  const run = createRun(surroundings)
  // In the order in which the help lists them.
  addServe(program, run, version)
  addMigrate(program, run)
  addKeys(program, run)
  addQuarantine(program, run)
  addImport(program, run)
  addReconcile(program, run)
  addRebuild(program, run)
  addParked(program, run)
  addDemo(program, run)
  addSimulate(program, run)
  addAnchor(program, run)
  addVerify(program, run)
  addErase(program, run)
  addExport(program, run)
  addStatus(program, run)
  return program
}

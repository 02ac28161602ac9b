import type { Command } from 'commander'
import type { Config } from '../../config.ts'
import { explain } from '../../app/errors.ts'
import type { Output } from '../../app/output.ts'

/** What the command line takes from its process; tests bring their own. */
export interface Surroundings {
  about: { description: string, version: string }
  /** Called when a command runs: `--help` works with settings that are wrong. */
  loadConfig: () => Config
  createOutput: (json: boolean) => Output
}

/** An argument is a string, a list of strings where a command accepts several, or undefined where it is optional. */
type Action<Options, Args extends Array<string | string[] | undefined>> = (config: Config, output: Output, options: Options, ...args: Args) => Promise<void>

/** Makes of a command what commander calls. `failure` is the exit status after an error. */
export type Run = <Options, Args extends Array<string | string[] | undefined>> (action: Action<Options, Args>, failure?: number) => (...values: unknown[]) => Promise<void>

/**
 * Makes the function that every command runs in: it loads the settings, and sets the exit status. An error prints one
 * sentence, never a stack trace.
 */
export function createRun ({ loadConfig, createOutput }: Surroundings): Run {
  return <Options, Args extends Array<string | string[] | undefined>> (action: Action<Options, Args>, failure = 1) => async (...values: unknown[]) => {
    const command = values.at(-1) as Command
    const options = values.at(-2) as Options
    const output = createOutput(command.optsWithGlobals<{ json?: boolean }>().json === true)
    try {
      await action(loadConfig(), output, options, ...values.slice(0, -2) as Args)
    } catch (error) {
      const { code, message } = explain(error)
      output.progress(output.json ? JSON.stringify({ code, message }) : message)
      process.exitCode = failure
    }
  }
}

import { Option, type Command } from 'commander'
import type { SimulateOptions } from '../simulate.ts'
import { percentage, positiveInteger } from './positive-integer.ts'
import type { Run } from './run.ts'

/** Declares `demo`, which posts two real payloads. */
export function addDemo (program: Command, run: Run): void {
  program.command('demo')
    .description('post two real payloads, each twice, to a running server, and read the results')
    .option('--url <url>', 'the URL of the server (default: http://HOST:PORT)')
    .option('--key <token>', 'an API key of scope read, if the server requires one')
    .action(run(async (config, output, options: { url?: string, key?: string }) => {
      const { demoCommand } = await import('../demo.ts')
      await demoCommand(config, output, { url: options.url, key: options.key })
    }))
}

/** Declares `simulate`, which posts many simulated deliveries. */
export function addSimulate (program: Command, run: Run): void {
  program.command('simulate')
    .description('send simulated deliveries to a running server, including faulty ones; the same seed sends the same deliveries')
    .option('--url <url>', 'the URL of the server (default: http://HOST:PORT)')
    .option('--key <token>', 'an API key, if the server requires one: scope read, or operate to compare the quarantine too')
    .option('--secret <secret>', 'the webhook secret to sign with (default: that of this configuration)')
    .option('--seed <seed>', 'which history to generate (default: random, and printed)')
    .option('--customers <n>', 'how many customers to simulate', positiveInteger, 50)
    .option('--events <n>', 'how many deliveries to send', positiveInteger, 1000)
    .option('--rate <n>', 'how many deliveries to send per second (default: as fast as possible)', positiveInteger)
    .addOption(new Option('--chaos <level>', 'how many faults to add: repeated, reordered, missing and contradicting deliveries').choices(['none', 'low', 'high']).default('low'))
    .option('--sources <types>', 'which events to send: all, seeds (awards and paid orders), or event types separated by commas', 'all')
    .option('--concurrency <n>', 'how many connections to use', positiveInteger, 16)
    .option('--verify', 'then compare all answers of the server with the expected ones', false)
    .addOption(new Option('--lose <percent>', 'how many of the events never arrive').argParser(percentage).default(0))
    .option('--reconcile', 'then ask the simulated provider\'s API for what did not arrive, into the database of this configuration, which must be the server\'s; with --verify, compare the ledger with the provider itself', false)
    .option('--export <file>', 'write all simulated transactions to a CSV file, as the provider would export them; use it to try import')
    .action(run(async (config, output, options: SimulateOptions) => {
      const { simulateCommand } = await import('../simulate.ts')
      await simulateCommand(config, output, options)
    }))
}

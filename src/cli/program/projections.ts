import { Argument, type Command } from 'commander'
import type { RebuildAction } from '../rebuild.ts'
import { positiveInteger } from './positive-integer.ts'
import type { Run } from './run.ts'

/** Declares `rebuild`, which folds the log again by the rules of this version. */
export function addRebuild (program: Command, run: Run): void {
  const rebuild = program.command('rebuild').description('fold the log again beside the live projections, then compare with them or replace them')
    .addHelpText('after', `
The live projections stay in use during a rebuild, and the server can keep running. An interrupted rebuild continues where it
stopped. A rebuild is needed after an upgrade that changed how events are folded; the server says so when it starts. The
database login of this command must own the database.`)
  const projectionArgument = new Argument('[projection]', 'customers, tiers, orders or cards (default: those being rebuilt, otherwise all)')
  const rebuildAction = (action: RebuildAction): ReturnType<typeof run> =>
    run(async (config, output, options: { limit?: number }, projection?: string) => {
      const { rebuildCommand } = await import('../rebuild.ts')
      await rebuildCommand(config, output, projection, action, options.limit)
    })
  rebuild.command('start')
    .description('fold the whole log into new tables beside the live ones')
    .addArgument(projectionArgument).action(rebuildAction('start'))
  rebuild.command('diff')
    .description('fold new events too, and show what a switch would change')
    .addArgument(projectionArgument)
    .option('--limit <n>', 'how many changed items of each kind to list', positiveInteger, 50)
    .action(rebuildAction('diff'))
  rebuild.command('switch')
    .description('replace the live projections with the rebuilt ones')
    .addArgument(projectionArgument).action(rebuildAction('switch'))
  rebuild.command('abandon')
    .description('drop the rebuilt tables')
    .action(rebuildAction('abandon'))
}

/** Declares `parked`, for cards and orders with an event that could not be folded. */
export function addParked (program: Command, run: Run): void {
  const parked = program.command('parked').description('list or redrive cards and orders that are parked because an event could not be folded')
  parked.command('list')
    .description('list parked cards and orders, why they are parked, and how many events wait')
    .action(run(async (config, output) => {
      const { parkedListCommand } = await import('../parked.ts')
      await parkedListCommand(config, output)
    }))
  parked.command('redrive')
    .description('fold the waiting events in order with this version of the code; a worker also does so when it starts')
    .argument('[keys...]', 'keys as `parked list` prints them, card:v_… or order:ord_…')
    .option('--all', 'all parked keys', false)
    .action(run(async (config, output, options: { all: boolean }, keys: string[]) => {
      const { parkedRedriveCommand } = await import('../parked.ts')
      await parkedRedriveCommand(config, output, keys, options)
    }))
}

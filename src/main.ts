#!/usr/bin/env node
import { readFileSync, realpathSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { Argument, Command, InvalidArgumentError, Option } from 'commander'
import { loadConfig, type Config } from './config.ts'
import { explain } from './app/errors.ts'
import { createOutput, type Output } from './app/output.ts'
import type { RebuildAction } from './cli/rebuild.ts'
import type { SimulateOptions } from './cli/simulate.ts'

// To twice what lives in it, and not to four times as V8 would by itself: it is collected more often instead (docs/operations.md, Memory).
setFlagsFromString('--heap-growing-percent=100')

const { version } = JSON.parse(readFileSync(new URL(import.meta.resolve('#root/package.json')), 'utf8')) as { version: string }

/** Apart from 1, which says that there are differences. */
const COULD_NOT_VERIFY = 2

/** Where a command reads its settings, and where it prints: of this process, unless a test runs it. */
export interface Surroundings { environment: NodeJS.ProcessEnv, createOutput: (json: boolean) => Output }
export const surroundings: Surroundings = { environment: process.env, createOutput }

export const program = new Command('loyalty-ledger')
  .description('An event-sourced ledger of loyalty points and orders, fed by Voucherify webhooks.')
  .version(version)
  .option('--json', 'print results as JSON, for programs')
  .showHelpAfterError()

// Commands are loaded when they run: `--help` need not load a server.
program.command('serve')
  .description('serve the API and project events, until a signal ends it')
  .addOption(new Option('--only <part>', 'only the API, or only the worker').choices(['api', 'worker']))
  .option('--migrate', 'bring the database up to date first', false)
  .action(run(async (config, output, options: { only?: 'api' | 'worker', migrate: boolean }) => {
    const { serveCommand } = await import('./app/serve.ts')
    await serveCommand(config, output, { only: options.only, migrate: options.migrate, version })
  }))

const migrate = program.command('migrate').description('bring the database up to this version, or back')
const wait = new Option('--wait <seconds>', 'how long to go on trying where others hold the locks that are needed (default: 600)').argParser(positiveInteger)
migrate.command('up')
  .description('apply what is pending; safe while the service runs')
  .addOption(wait)
  .action(run(async (config, output, options: { wait?: number }) => {
    const { migrateUpCommand } = await import('./cli/migrate.ts')
    await migrateUpCommand(config, output, options)
  }))
migrate.command('down')
  .description('take back the last migration; data in what it made is gone')
  .option('--count <n>', 'how many to take back', positiveInteger, 1)
  .addOption(wait)
  .action(run(async (config, output, options: { count: number, wait?: number }) => {
    const { migrateDownCommand } = await import('./cli/migrate.ts')
    await migrateDownCommand(config, output, options)
  }))
migrate.command('status')
  .description('say what is applied and what is pending, and which indexes are of no use')
  .action(run(async (config, output) => {
    const { migrateStatusCommand } = await import('./cli/migrate.ts')
    await migrateStatusCommand(config, output)
  }))

const keys = program.command('keys').description('say who may enter: API keys')
keys.command('create')
  .description('make a key and show its token, once')
  .argument('<name>', 'who will use it')
  .addOption(new Option('--scope <scope>', 'read: customers, cards, orders; operate: all').choices(['read', 'operate']).default('read'))
  .action(run(async (config, output, options: { scope: 'read' | 'operate' }, name: string) => {
    const { keysCreateCommand } = await import('./cli/keys.ts')
    await keysCreateCommand(config, output, name, options.scope)
  }))
keys.command('list')
  .description('list every key, in force and revoked')
  .action(run(async (config, output) => {
    const { keysListCommand } = await import('./cli/keys.ts')
    await keysListCommand(config, output)
  }))
keys.command('revoke')
  .description('end a key')
  .argument('<key>', 'its id, key_…')
  .action(run(async (config, output, _options, key: string) => {
    const { keysRevokeCommand } = await import('./cli/keys.ts')
    await keysRevokeCommand(config, output, key)
  }))

const quarantine = program.command('quarantine').description('what came in and could not be used: look, try again, put away')
const filterOption = '--filter-reason <reason>'
quarantine.command('list')
  .description('list rows, oldest first')
  .addOption(new Option('--state <state>', 'open, redriven or discarded ones').choices(['open', 'redriven', 'discarded']).default('open'))
  .option(filterOption, 'only rows of this reason, as not_json or conflict')
  .action(run(async (config, output, options: { state: 'open' | 'redriven' | 'discarded', filterReason?: string }) => {
    const { quarantineListCommand } = await import('./cli/quarantine.ts')
    await quarantineListCommand(config, output, { state: options.state, reason: options.filterReason })
  }))
quarantine.command('show')
  .description('show a row with what was received; of a conflict, how it differs from what is stored')
  .argument('<id>', 'its id')
  .action(run(async (config, output, _options, id: string) => {
    const { quarantineShowCommand } = await import('./cli/quarantine.ts')
    await quarantineShowCommand(config, output, id)
  }))
quarantine.command('redrive')
  .description('read the kept bytes again, with the code of today; can change balances')
  .argument('[ids...]', 'their ids')
  .option('--all', 'every row that is open now, but for those that contradict a movement', false)
  .option(filterOption, 'with --all: only rows of this reason')
  .addHelpText('after', `
A row of reason contradicts_movement comes from an import: it tells other points, or another balance, than an event that is
stored. A redrive lets it in as one more telling of that movement, and where it is better source_rank, balances follow it. So
--all leaves such rows out: look at each with \`quarantine show ID\`, then redrive it by its id or discard it. Who means all of
them says --all --filter-reason contradicts_movement. No redrive can be taken back: events are stored for ever.`)
  .action(run(async (config, output, options: { all: boolean, filterReason?: string }, ids: string[]) => {
    const { quarantineRedriveCommand } = await import('./cli/quarantine.ts')
    await quarantineRedriveCommand(config, output, ids, { all: options.all, reason: options.filterReason })
  }))
quarantine.command('discard')
  .description('say that deliveries are not wanted; rows and bytes stay')
  .argument('<ids...>', 'their ids')
  .requiredOption('--reason <text>', 'why, for those who come after')
  .action(run(async (config, output, options: { reason: string }, ids: string[]) => {
    const { quarantineDiscardCommand } = await import('./cli/quarantine.ts')
    await quarantineDiscardCommand(config, output, ids, options.reason)
  }))

program.command('import')
  .description('take in what was missed: transaction exports of the provider (CSV), files of deliveries (NDJSON), and what export wrote')
  .argument('<file...>', 'any number, in any order')
  .option('--dry-run', 'say what it would come to, and write nothing', false)
  .option('--skip-bad', 'leave out lines that cannot be read, instead of refusing the files', false)
  .addHelpText('after', `
CSV: the export of card or campaign transactions as Voucherify makes it: UTF-8, with commas, unchanged by a spreadsheet. Needed
are the columns id, voucher_id, type, amount, created_at, details; used, too, are balance, campaign_id, source_id, reason, source and
related_transaction_id. NDJSON: the JSON body of one delivery a line. What \`export\` wrote: its events keep the time at which they were
first stored, which takes the login that owns the ledger.

Each is a file on disk: a pipe does not work, since files are read twice, first to see that every line can be read.
Running an import again is always safe: what is stored is stored, what is known changes nothing, and what a person decided in
quarantine stays decided. A row that contradicts what is known is a conflict: it waits in quarantine, and what was told first
stands. The exit status is not 0 when there are conflicts or bad lines, also where all else was imported.`)
  .action(run(async (config, output, options: { dryRun: boolean, skipBad: boolean }, files: unknown) => {
    const { importCommand } = await import('./cli/import.ts')
    await importCommand(config, output, files as string[], options)
  }))

const rebuild = program.command('rebuild').description('fold the log anew beside the live projections, then compare or switch to the result')
  .addHelpText('after', `
The live projections go on and are read meanwhile; the server need not stop. A rebuild that was interrupted continues where
it was. Needed after an upgrade that changed how events are folded: the server says so when it starts. The database login of
this command must own the database.`)
const projectionArgument = new Argument('[projection]', 'customers, tiers, orders or cards (default: what is being rebuilt, else all)')
const rebuildAction = (action: RebuildAction): ReturnType<typeof run> =>
  run(async (config, output, options: { limit?: number }, projection?: string) => {
    const { rebuildCommand } = await import('./cli/rebuild.ts')
    await rebuildCommand(config, output, projection, action, options.limit)
  })
rebuild.command('start')
  .description('fold the log anew beside the live projections, up to its end')
  .addArgument(projectionArgument).action(rebuildAction('start'))
rebuild.command('diff')
  .description('fold what came in since, and show what a switch would change')
  .addArgument(projectionArgument)
  .option('--limit <n>', 'how many changed items of a kind to name', positiveInteger, 50)
  .action(rebuildAction('diff'))
rebuild.command('switch')
  .description('put the rebuilt projections in the place of the live ones')
  .addArgument(projectionArgument).action(rebuildAction('switch'))
rebuild.command('abandon')
  .description('drop what was rebuilt')
  .action(rebuildAction('abandon'))

const parked = program.command('parked').description('cards and orders that stand still because an event could not be folded')
parked.command('list')
  .description('list them, with why and how many events wait')
  .action(run(async (config, output) => {
    const { parkedListCommand } = await import('./cli/parked.ts')
    await parkedListCommand(config, output)
  }))
parked.command('redrive')
  .description('fold what waits, in order, with the code of today; a worker that starts does it by itself')
  .argument('[keys...]', 'as listed, card:v_… or order:ord_…')
  .option('--all', 'everything that is parked', false)
  .action(run(async (config, output, options: { all: boolean }, keys: string[]) => {
    const { parkedRedriveCommand } = await import('./cli/parked.ts')
    await parkedRedriveCommand(config, output, keys, options)
  }))

program.command('demo')
  .description('post two real payloads, each twice, to a running server and read what came of them')
  .option('--url <url>', 'where the server is (default: http://HOST:PORT)')
  .option('--key <token>', 'an API key, where the server asks for one: of scope read, or operate to compare the quarantine too')
  .action(run(async (config, output, options: { url?: string, key?: string }) => {
    const { demoCommand } = await import('./cli/demo.ts')
    await demoCommand(config, output, { url: options.url, key: options.key })
  }))

program.command('simulate')
  .description('send a running server what the provider would send, and worse; the same seed sends the same')
  .option('--url <url>', 'where the server is (default: http://HOST:PORT)')
  .option('--key <token>', 'an API key, where the server asks for one: of scope read, or operate to compare the quarantine too')
  .option('--secret <secret>', 'the webhook secret to sign with (default: the one of this configuration)')
  .option('--seed <seed>', 'which history (default: a random one, which is printed)')
  .option('--customers <n>', 'how many customers there are', positiveInteger, 50)
  .option('--events <n>', 'how many deliveries to send', positiveInteger, 1000)
  .option('--rate <n>', 'how many a second (default: as fast as they go)', positiveInteger)
  .addOption(new Option('--chaos <level>', 'how badly it behaves: repetitions, disorder, gaps, contradictions').choices(['none', 'low', 'high']).default('low'))
  .option('--sources <types>', 'what the merchant subscribed to: all, seeds (awards and paid orders), or event types with commas between', 'all')
  .option('--concurrency <n>', 'how many connections', positiveInteger, 16)
  .option('--verify', 'compare everything the server then says with what it should say', false)
  .option('--export <file>', 'write what truly happened to a CSV file, as the provider would export it: to try import with')
  .action(run(async (config, output, options: SimulateOptions) => {
    const { simulateCommand } = await import('./cli/simulate.ts')
    await simulateCommand(config, output, options)
  }))

program.command('anchor')
  .description('write where the log stands, signed: to keep outside the database and to verify against later')
  .argument('[file]', 'replaced whole where it is there (default: standard output)')
  .action(run(async (config, output, _options, file?: string) => {
    const { anchorCommand } = await import('./cli/anchor.ts')
    await anchorCommand(config, output, file)
  }))

program.command('verify')
  .description('recompute the log and every projection from the rows of the log, and name each difference')
  .option('--against <file>', 'a signed anchor: the log must extend it')
  .addOption(new Option('--only <part>', 'only the log, or only the projections').choices(['log', 'projections']))
  .option('--limit <n>', 'how many differences to show; all are counted', positiveInteger, 100)
  .addHelpText('after', `
Reads only, beside a running service; a login that may only select suffices, and make temporary tables: the projections are
folded anew in some, which take about the room of the live ones until the end. Without --against it cannot show that the newest
events were cut off together with their head, nor that a chain was rewritten up to its head.
Exit status: 0 no difference, 1 differences, 2 it could not be verified (the database, the anchor or its key).`)
  .action(run(async (config, output, options: { against?: string, limit: number, only?: 'log' | 'projections' }) => {
    const { verifyCommand } = await import('./cli/verify.ts')
    await verifyCommand(config, output, options)
  }, COULD_NOT_VERIFY))

program.command('erase')
  .description('take what is personal about a customer out of events, quarantine and projections; cannot be undone')
  .argument('<customer>', 'the id of the customer at the provider, as cust_…')
  .requiredOption('--reason <text>', 'why, for those who come after; kept for ever, so without names or addresses')
  .option('--dry-run', 'say what would be erased, and write nothing', false)
  .option('--yes', 'do it', false)
  .addHelpText('after', `
Name, e-mail address, telephone number, address and metadata go, and texts that name the customer; ids, points, amounts and times
stay, and so does every balance. The log keeps the digests of what was received and records the erasure as an event, with its
reason: do not write there what is erased here. The server may run meanwhile. Running it again is safe: it does what is left,
after a kill or when more came in. It needs the login that owns the ledger. What it does not reach: backups, logs of the server
and of PostgreSQL, files that were imported or exported, and the provider itself, which must erase the customer, too.`)
  .action(run(async (config, output, options: { reason: string, dryRun: boolean, yes: boolean }, customer: string) => {
    const { eraseCommand } = await import('./cli/erase.ts')
    await eraseCommand(config, output, customer, options)
  }))

program.command('export')
  .description('write every stored event to a file that import takes in, or to standard output')
  .argument('[file]', 'written whole or not at all; what stood there stays until then')
  .addHelpText('after', `
Bodies are in it as they were received, each with the time at which it was first stored. Quarantine, API keys and projections are
not: projections follow from the events, and for all of it there is pg_dump. The server may run meanwhile: the file holds what was
stored when the export began. It holds personal data.`)
  .action(run(async (config, output, _options, file: string | undefined) => {
    const { exportCommand } = await import('./cli/export.ts')
    await exportCommand(config, output, file)
  }))

program.command('status')
  .description('say how far the projections are, what stands still, what waits in quarantine, and where the log ends')
  .addHelpText('after', `
The exit status is 1 when something needs a person: something is parked, a projection is not built by this version of the code, one
lags by more than 60 s, or the log lacks an event. What is open in quarantine is shown and does not count.`)
  .action(run(async (config, output) => {
    const { statusCommand } = await import('./cli/status.ts')
    await statusCommand(config, output)
  }))

// Tests import this file and run commands in their own process. The path may be the link that npm makes.
if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === import.meta.filename) await program.parseAsync()

/** Arguments are text, lists of it where a command takes several, or undefined where one may be left out. */
type Action<Options, Args extends Array<string | string[] | undefined>> = (config: Config, output: Output, options: Options, ...args: Args) => Promise<void>

/** Wraps a command: settings in, exit status out. An error is one sentence that says what to do, never a stack trace. */
function run<Options, Args extends Array<string | string[] | undefined>> (action: Action<Options, Args>, failure = 1): (...values: unknown[]) => Promise<void> {
  return async (...values) => {
    const command = values.at(-1) as Command
    const options = values.at(-2) as Options
    const output = surroundings.createOutput(command.optsWithGlobals<{ json?: boolean }>().json === true)
    try {
      await action(loadConfig(surroundings.environment), output, options, ...values.slice(0, -2) as Args)
    } catch (error) {
      report(error, output)
      process.exitCode = failure
    }
  }
}

function report (error: unknown, output: Output): void {
  const { code, message } = explain(error)
  output.progress(output.json ? JSON.stringify({ code, message }) : message)
}

function positiveInteger (text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('a whole number above 0 is needed')
  return value
}

#!/usr/bin/env node
import { readFileSync, realpathSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { Argument, Command, InvalidArgumentError, Option } from 'commander'
import { loadConfig, type Config } from './config.ts'
import { explain } from './app/errors.ts'
import { createOutput, type Output } from './app/output.ts'
import type { RebuildAction } from './cli/rebuild.ts'
import type { SimulateOptions } from './cli/simulate.ts'

// Let the heap grow to 2× live data instead of V8's 4×: more frequent collections, less memory (docs/operations.md,
// Memory).
setFlagsFromString('--heap-growing-percent=100')

const { version } = JSON.parse(readFileSync(new URL(import.meta.resolve('#root/package.json')), 'utf8')) as { version: string }

/** Exit status of `verify` when it could not run to its end; 1 means that it found differences. */
const COULD_NOT_VERIFY = 2

/** Where a command reads its settings, and where it prints: of this process, unless a test runs it. */
export interface Surroundings { environment: NodeJS.ProcessEnv, createOutput: (json: boolean) => Output }
export const surroundings: Surroundings = { environment: process.env, createOutput }

export const program = new Command('loyalty-ledger')
  .description('An event-sourced ledger of loyalty points and orders, fed by Voucherify webhooks.')
  .version(version)
  .option('--json', 'print results as JSON, for programs')
  .showHelpAfterError()

// A command's module is loaded when the command runs, so `--help` does not load a server.
program.command('serve')
  .description('run the API and the projection worker until SIGTERM or SIGINT')
  .addOption(new Option('--only <part>', 'run only the API, or only the worker').choices(['api', 'worker']))
  .option('--migrate', 'apply pending migrations first', false)
  .action(run(async (config, output, options: { only?: 'api' | 'worker', migrate: boolean }) => {
    const { serveCommand } = await import('./app/serve.ts')
    await serveCommand(config, output, { only: options.only, migrate: options.migrate, version })
  }))

const migrate = program.command('migrate').description('apply or revert database migrations')
const wait = new Option('--wait <seconds>', 'how long to retry while other sessions hold the locks that a migration needs (default: 600)').argParser(positiveInteger)
migrate.command('up')
  .description('apply pending migrations; safe while the service runs')
  .addOption(wait)
  .action(run(async (config, output, options: { wait?: number }) => {
    const { migrateUpCommand } = await import('./cli/migrate.ts')
    await migrateUpCommand(config, output, options)
  }))
migrate.command('down')
  .description('revert the last migration; data in the tables it created is lost')
  .option('--count <n>', 'how many migrations to revert', positiveInteger, 1)
  .addOption(wait)
  .action(run(async (config, output, options: { count: number, wait?: number }) => {
    const { migrateDownCommand } = await import('./cli/migrate.ts')
    await migrateDownCommand(config, output, options)
  }))
migrate.command('status')
  .description('list applied and pending migrations, and invalid indexes')
  .action(run(async (config, output) => {
    const { migrateStatusCommand } = await import('./cli/migrate.ts')
    await migrateStatusCommand(config, output)
  }))

const keys = program.command('keys').description('create, list or revoke API keys')
keys.command('create')
  .description('create a key and print its token, which is shown only once')
  .argument('<name>', 'who or what will use the key')
  .addOption(new Option('--scope <scope>', 'read: customers, cards and orders; operate: everything').choices(['read', 'operate']).default('read'))
  .action(run(async (config, output, options: { scope: 'read' | 'operate' }, name: string) => {
    const { keysCreateCommand } = await import('./cli/keys.ts')
    await keysCreateCommand(config, output, name, options.scope)
  }))
keys.command('list')
  .description('list all keys, active and revoked')
  .action(run(async (config, output) => {
    const { keysListCommand } = await import('./cli/keys.ts')
    await keysListCommand(config, output)
  }))
keys.command('revoke')
  .description('revoke a key')
  .argument('<key>', 'the id of the key, key_…')
  .action(run(async (config, output, _options, key: string) => {
    const { keysRevokeCommand } = await import('./cli/keys.ts')
    await keysRevokeCommand(config, output, key)
  }))

const quarantine = program.command('quarantine').description('inspect, retry or discard deliveries that could not be processed')
const filterOption = '--filter-reason <reason>'
quarantine.command('list')
  .description('list quarantined deliveries, oldest first')
  .addOption(new Option('--state <state>', 'which deliveries to list').choices(['open', 'redriven', 'discarded']).default('open'))
  .option(filterOption, 'only those quarantined for this reason, for example not_json or conflict')
  .action(run(async (config, output, options: { state: 'open' | 'redriven' | 'discarded', filterReason?: string }) => {
    const { quarantineListCommand } = await import('./cli/quarantine.ts')
    await quarantineListCommand(config, output, { state: options.state, reason: options.filterReason })
  }))
quarantine.command('show')
  .description('show one delivery as it was received; for a conflict, also how it differs from the stored event')
  .argument('<id>', 'the id of the delivery')
  .action(run(async (config, output, _options, id: string) => {
    const { quarantineShowCommand } = await import('./cli/quarantine.ts')
    await quarantineShowCommand(config, output, id)
  }))
quarantine.command('redrive')
  .description('process the stored bytes again with this version of the code; can change balances')
  .argument('[ids...]', 'the ids of the deliveries')
  .option('--all', 'all that are open now, except those that contradict a movement', false)
  .option(filterOption, 'with --all: only those quarantined for this reason')
  .addHelpText('after', `
A delivery with reason contradicts_movement comes from an import: it states other points, or another balance, than an event that
is stored. A redrive stores it as one more observation of that movement; if its source rank is higher, balances change. So --all
leaves these deliveries out: inspect each with \`quarantine show ID\`, then redrive it by its id or discard it. To redrive all of
them, use --all --filter-reason contradicts_movement. A redrive cannot be undone: events are stored for ever.`)
  .action(run(async (config, output, options: { all: boolean, filterReason?: string }, ids: string[]) => {
    const { quarantineRedriveCommand } = await import('./cli/quarantine.ts')
    await quarantineRedriveCommand(config, output, ids, { all: options.all, reason: options.filterReason })
  }))
quarantine.command('discard')
  .description('mark deliveries as not wanted; they stay stored')
  .argument('<ids...>', 'the ids of the deliveries')
  .requiredOption('--reason <text>', 'why; stored with the deliveries')
  .action(run(async (config, output, options: { reason: string }, ids: string[]) => {
    const { quarantineDiscardCommand } = await import('./cli/quarantine.ts')
    await quarantineDiscardCommand(config, output, ids, options.reason)
  }))

program.command('import')
  .description('import missing events: the provider\'s transaction exports (CSV), files of deliveries (NDJSON), or files written by export')
  .argument('<file...>', 'files to import, in any order')
  .option('--dry-run', 'report what an import would do, and write nothing', false)
  .option('--skip-bad', 'skip lines that cannot be read, instead of refusing the files', false)
  .addHelpText('after', `
CSV: the export of card or campaign transactions as Voucherify makes it: UTF-8, separated by commas, not edited in a spreadsheet.
The columns id, voucher_id, type, amount, created_at, details are required; balance, campaign_id, source_id, reason, source and
related_transaction_id are used if present. NDJSON: the JSON body of one delivery per line. Files written by \`export\`: the events
keep the time at which they were first stored, so the import needs the login that owns the ledger.

Each must be a file on disk. A pipe does not work: files are read twice, first to check that every line can be read.
Running an import again is always safe: events that are stored are not stored again, rows that add nothing change nothing, and
deliveries that were discarded from quarantine stay discarded. A row that contradicts a stored event is a conflict: it goes to
quarantine, and the stored event stays as it is. The exit status is not 0 when there are conflicts or bad lines, even if
everything else was imported.`)
  .action(run(async (config, output, options: { dryRun: boolean, skipBad: boolean }, files: unknown) => {
    const { importCommand } = await import('./cli/import.ts')
    await importCommand(config, output, files as string[], options)
  }))

const rebuild = program.command('rebuild').description('fold the log again beside the live projections, then compare with them or replace them')
  .addHelpText('after', `
The live projections stay in use during a rebuild, and the server can keep running. An interrupted rebuild continues where it
stopped. A rebuild is needed after an upgrade that changed how events are folded; the server says so when it starts. The
database login of this command must own the database.`)
const projectionArgument = new Argument('[projection]', 'customers, tiers, orders or cards (default: those being rebuilt, otherwise all)')
const rebuildAction = (action: RebuildAction): ReturnType<typeof run> =>
  run(async (config, output, options: { limit?: number }, projection?: string) => {
    const { rebuildCommand } = await import('./cli/rebuild.ts')
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

const parked = program.command('parked').description('list or redrive cards and orders that are parked because an event could not be folded')
parked.command('list')
  .description('list parked cards and orders, why they are parked, and how many events wait')
  .action(run(async (config, output) => {
    const { parkedListCommand } = await import('./cli/parked.ts')
    await parkedListCommand(config, output)
  }))
parked.command('redrive')
  .description('fold the waiting events in order with this version of the code; a worker also does so when it starts')
  .argument('[keys...]', 'keys as `parked list` prints them, card:v_… or order:ord_…')
  .option('--all', 'all parked keys', false)
  .action(run(async (config, output, options: { all: boolean }, keys: string[]) => {
    const { parkedRedriveCommand } = await import('./cli/parked.ts')
    await parkedRedriveCommand(config, output, keys, options)
  }))

program.command('demo')
  .description('post two real payloads, each twice, to a running server, and read the results')
  .option('--url <url>', 'the URL of the server (default: http://HOST:PORT)')
  .option('--key <token>', 'an API key of scope read, if the server requires one')
  .action(run(async (config, output, options: { url?: string, key?: string }) => {
    const { demoCommand } = await import('./cli/demo.ts')
    await demoCommand(config, output, { url: options.url, key: options.key })
  }))

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
  .option('--export <file>', 'write all simulated transactions to a CSV file, as the provider would export them; use it to try import')
  .action(run(async (config, output, options: SimulateOptions) => {
    const { simulateCommand } = await import('./cli/simulate.ts')
    await simulateCommand(config, output, options)
  }))

program.command('anchor')
  .description('write the signed heads of the log; keep them outside the database and verify against them later')
  .argument('[file]', 'where to write the anchor; an existing file is replaced (default: standard output)')
  .action(run(async (config, output, _options, file?: string) => {
    const { anchorCommand } = await import('./cli/anchor.ts')
    await anchorCommand(config, output, file)
  }))

program.command('verify')
  .description('recompute the log\'s digests and every projection from the stored events, and report each difference')
  .option('--against <file>', 'an anchor file: check that the log still contains what it signed')
  .addOption(new Option('--only <part>', 'verify only the log, or only the projections').choices(['log', 'projections']))
  .option('--limit <n>', 'how many differences to list; all are counted', positiveInteger, 100)
  .addHelpText('after', `
Changes nothing, and can run beside the service. The login needs only to select and to create temporary tables: the projections
are folded again into temporary tables, which need about as much space as the live ones. Without --against, verify cannot detect
that the newest events were deleted together with their head, or that a chain was rewritten up to its head.
Exit status: 0 no difference; 1 differences; 2 verification failed because of the database, the anchor or its key.`)
  .action(run(async (config, output, options: { against?: string, limit: number, only?: 'log' | 'projections' }) => {
    const { verifyCommand } = await import('./cli/verify.ts')
    await verifyCommand(config, output, options)
  }, COULD_NOT_VERIFY))

program.command('erase')
  .description('remove a customer\'s personal data from events, quarantine and projections; cannot be undone')
  .argument('<customer>', 'the provider\'s id of the customer, cust_…')
  .requiredOption('--reason <text>', 'why; kept for ever, so do not write names or addresses')
  .option('--dry-run', 'report what would be erased, and write nothing', false)
  .option('--yes', 'confirm the erasure', false)
  .addHelpText('after', `
Removes name, e-mail address, telephone number, address and metadata, and every text that names the customer. Ids, points, amounts
and times stay, and so does every balance. The log keeps the digests of the received bodies and records the erasure as an event
with its reason, so the reason must not contain personal data. The server can keep running. Running it again is safe: it erases
what is left after an interruption, or what was received since. It needs the login that owns the ledger. It does not reach
backups, logs of the server and of PostgreSQL, imported or exported files, or the provider, where the customer must be erased too.`)
  .action(run(async (config, output, options: { reason: string, dryRun: boolean, yes: boolean }, customer: string) => {
    const { eraseCommand } = await import('./cli/erase.ts')
    await eraseCommand(config, output, customer, options)
  }))

program.command('export')
  .description('write every stored event to a file for import, or to standard output')
  .argument('[file]', 'the file to write; an existing file is replaced only when the export is complete')
  .addHelpText('after', `
The file contains the bodies as they were received, each with the time at which it was first stored. It does not contain
quarantine, API keys or projections: projections can be rebuilt from the events, and pg_dump saves everything. The server can
keep running: the file contains the events that were stored when the export began. It contains personal data.`)
  .action(run(async (config, output, _options, file: string | undefined) => {
    const { exportCommand } = await import('./cli/export.ts')
    await exportCommand(config, output, file)
  }))

program.command('status')
  .description('show the lag of the projections, parked cards and orders, open quarantine rows, and the heads of the log')
  .addHelpText('after', `
The exit status is 1 when action is needed: something is parked, a projection is outdated, a projection lags by more than 60 s, or
an event is missing in the log. Open quarantine rows are shown but do not affect the exit status.`)
  .action(run(async (config, output) => {
    const { statusCommand } = await import('./cli/status.ts')
    await statusCommand(config, output)
  }))

// Tests import this file and run commands in their own process. The path may be the link that npm makes.
if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === import.meta.filename) await program.parseAsync()

/** An argument is a string, a list of strings where a command accepts several, or undefined where it is optional. */
type Action<Options, Args extends Array<string | string[] | undefined>> = (config: Config, output: Output, options: Options, ...args: Args) => Promise<void>

/** Runs a command with the settings and sets the exit status. An error prints one sentence, never a stack trace. */
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
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('A whole number above 0 is needed.')
  return value
}

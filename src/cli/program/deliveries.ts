import { Option, type Command } from 'commander'
import type { ReconcileCommandOptions } from '../reconcile.ts'
import type { Run } from './run.ts'

/** Declares `reconcile`, which asks the provider. */
export function addReconcile (program: Command, run: Run): void {
  program.command('reconcile')
    .description('ask the provider\'s API for what no webhook brought, store it, and state how every card compares')
    .option('--card <card>', 'one card, by its id or code: everything about it')
    .option('--since <time>', 'read again what changed since a time, whatever was read before')
    .option('--dry-run', 'say what is missing and which cards would change, and write nothing', false)
    .option('--watch', 'run it again every RECONCILE_EVERY_MINUTES (default: 15), until a signal ends it', false)
    .addHelpText('after', `
Needs an API key of the provider that may read, and the address of the project's region: docs/reconcile.md names the settings. Each run reads on from where the last one ended: rows of the card ledger, cards, pending points, orders and customers. What it
reads is stored as events of sender_kind api, so a webhook that comes later is a duplicate or one more observation. It may be ended at
any time, and the server can keep running. It makes RECONCILE_CALLS_PER_MINUTE calls a minute and RECONCILE_CALLS_PER_RUN in all at most.
Exit status: 0 every card is as the provider states; 1 some are not, or it stopped: the message says why.`)
    .action(run(async (config, output, options: ReconcileCommandOptions) => {
      const { reconcileCommand } = await import('../reconcile.ts')
      await reconcileCommand(config, output, options)
    }))
}

/** Declares `quarantine`, for deliveries that could not be processed. */
export function addQuarantine (program: Command, run: Run): void {
  const quarantine = program.command('quarantine').description('inspect, retry or discard deliveries that could not be processed')
  const filterOption = '--filter-reason <reason>'
  quarantine.command('list')
    .description('list quarantined deliveries, oldest first')
    .addOption(new Option('--state <state>', 'which deliveries to list').choices(['open', 'redriven', 'discarded']).default('open'))
    .option(filterOption, 'only those quarantined for this reason, for example not_json or conflict')
    .action(run(async (config, output, options: { state: 'open' | 'redriven' | 'discarded', filterReason?: string }) => {
      const { quarantineListCommand } = await import('../quarantine.ts')
      await quarantineListCommand(config, output, { state: options.state, reason: options.filterReason })
    }))
  quarantine.command('show')
    .description('show one delivery as it was received; for a conflict, also how it differs from the stored event')
    .argument('<id>', 'the id of the delivery')
    .action(run(async (config, output, _options, id: string) => {
      const { quarantineShowCommand } = await import('../quarantine.ts')
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
      const { quarantineRedriveCommand } = await import('../quarantine.ts')
      await quarantineRedriveCommand(config, output, ids, { all: options.all, reason: options.filterReason })
    }))
  quarantine.command('discard')
    .description('mark deliveries as not wanted; they stay stored')
    .argument('<ids...>', 'the ids of the deliveries')
    .requiredOption('--reason <text>', 'why; stored with the deliveries')
    .action(run(async (config, output, options: { reason: string }, ids: string[]) => {
      const { quarantineDiscardCommand } = await import('../quarantine.ts')
      await quarantineDiscardCommand(config, output, ids, options.reason)
    }))
}

/** Declares `import`, which stores events from files. */
export function addImport (program: Command, run: Run): void {
  program.command('import')
    .description('import missing events: the provider\'s exports (CSV), objects of its API (JSON), files of deliveries (NDJSON), or files written by export')
    .argument('<file...>', 'files to import, in any order')
    .option('--dry-run', 'report what an import would do, and write nothing', false)
    .option('--skip-bad', 'skip lines that cannot be read, instead of refusing the files', false)
    .addHelpText('after', `
CSV, as the provider makes it: UTF-8, separated by commas, not edited in a spreadsheet, with all fields. Card or campaign transactions
need the columns id, voucher_id, type, amount, created_at, details; vouchers id, code, loyalty_balance, updated_at; orders id, status,
amount, created_at, updated_at; customers id, source_id, created_at, updated_at; points expiration id, voucher_id, status, expires_at,
points. JSON: pages of the provider's API as they came. NDJSON: per line one object of the API or the JSON body of one delivery. Files written by \`export\`: the events
keep the time at which they were first stored, so the import needs the login that owns the ledger.

Each must be a file on disk. A pipe does not work: files are read twice, first to check that every line can be read.
Running an import again is always safe: events that are stored are not stored again, rows that add nothing change nothing, and
deliveries that were discarded from quarantine stay discarded. A row that contradicts a stored event is a conflict, and one that does
not say which movement it is is set aside: both go to quarantine, and the stored events stay as they are. The exit status is not 0 when
there are conflicts, bad lines or rows set aside, even if everything else was imported.`)
    .action(run(async (config, output, options: { dryRun: boolean, skipBad: boolean }, files: unknown) => {
      const { importCommand } = await import('../import.ts')
      await importCommand(config, output, files as string[], options)
    }))
}

/** Declares `export`, which writes the log to a file. */
export function addExport (program: Command, run: Run): void {
  program.command('export')
    .description('write every stored event to a file for import, or to standard output')
    .argument('[file]', 'the file to write; an existing file is replaced only when the export is complete')
    .addHelpText('after', `
The file contains the bodies as they were received, each with the time at which it was first stored. It does not contain
quarantine, API keys or projections: projections can be rebuilt from the events, and pg_dump saves everything. The server can
keep running: the file contains the events that were stored when the export began. It contains personal data.`)
    .action(run(async (config, output, _options, file: string | undefined) => {
      const { exportCommand } = await import('../export.ts')
      await exportCommand(config, output, file)
    }))
}

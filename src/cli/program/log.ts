import { Option, type Command } from 'commander'
import { positiveInteger } from './positive-integer.ts'
import type { Run } from './run.ts'

/** Exit status of `verify` when it could not run to its end; 1 means that it found differences. */
const COULD_NOT_VERIFY = 2

/** Declares `anchor`, which signs the heads of the log. */
export function addAnchor (program: Command, run: Run): void {
  program.command('anchor')
    .description('write the signed heads of the log; keep them outside the database and verify against them later')
    .argument('[file]', 'where to write the anchor; an existing file is replaced (default: standard output)')
    .action(run(async (config, output, _options, file?: string) => {
      const { anchorCommand } = await import('../anchor.ts')
      await anchorCommand(config, output, file)
    }))
}

/** Declares `verify`, which compares log and projections with what they should be. */
export function addVerify (program: Command, run: Run): void {
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
      const { verifyCommand } = await import('../verify.ts')
      await verifyCommand(config, output, options)
    }, COULD_NOT_VERIFY))
}

/** Declares `erase`, which removes one person from all of it. */
export function addErase (program: Command, run: Run): void {
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
      const { eraseCommand } = await import('../erase.ts')
      await eraseCommand(config, output, customer, options)
    }))
}

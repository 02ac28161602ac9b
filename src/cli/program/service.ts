import { Option, type Command } from 'commander'
import { positiveInteger } from './positive-integer.ts'
import type { Run } from './run.ts'

/** Declares `serve`, which runs the service. */
export function addServe (program: Command, run: Run, version: string): void {
  program.command('serve')
    .description('run the API and the projection worker until SIGTERM or SIGINT')
    .addOption(new Option('--only <part>', 'run only the API, or only the worker').choices(['api', 'worker']))
    .option('--migrate', 'apply pending migrations first', false)
    .action(run(async (config, output, options: { only?: 'api' | 'worker', migrate: boolean }) => {
      const { serveCommand } = await import('../serve.ts')
      await serveCommand(config, output, { only: options.only, migrate: options.migrate, version })
    }))
}

/** Declares `migrate`, which brings the tables up to date. */
export function addMigrate (program: Command, run: Run): void {
  const migrate = program.command('migrate').description('apply or revert database migrations')
  const wait = new Option('--wait <seconds>', 'how long to retry while other sessions hold the locks that a migration needs (default: 600)').argParser(positiveInteger)
  migrate.command('up')
    .description('apply pending migrations; safe while the service runs')
    .addOption(wait)
    .action(run(async (config, output, options: { wait?: number }) => {
      const { migrateUpCommand } = await import('../migrate.ts')
      await migrateUpCommand(config, output, options)
    }))
  migrate.command('down')
    .description('revert the last migration; data in the tables it created is lost')
    .option('--count <n>', 'how many migrations to revert', positiveInteger, 1)
    .addOption(wait)
    .action(run(async (config, output, options: { count: number, wait?: number }) => {
      const { migrateDownCommand } = await import('../migrate.ts')
      await migrateDownCommand(config, output, options)
    }))
  migrate.command('status')
    .description('list applied and pending migrations, and invalid indexes')
    .action(run(async (config, output) => {
      const { migrateStatusCommand } = await import('../migrate.ts')
      await migrateStatusCommand(config, output)
    }))
}

/** Declares `keys`, which says who may read and operate. */
export function addKeys (program: Command, run: Run): void {
  const keys = program.command('keys').description('create, list or revoke API keys')
  keys.command('create')
    .description('create a key and print its token, which is shown only once')
    .argument('<name>', 'who or what will use the key')
    .addOption(new Option('--scope <scope>', 'read: customers, cards and orders; operate: everything').choices(['read', 'operate']).default('read'))
    .action(run(async (config, output, options: { scope: 'read' | 'operate' }, name: string) => {
      const { keysCreateCommand } = await import('../keys.ts')
      await keysCreateCommand(config, output, name, options.scope)
    }))
  keys.command('list')
    .description('list all keys, active and revoked')
    .action(run(async (config, output) => {
      const { keysListCommand } = await import('../keys.ts')
      await keysListCommand(config, output)
    }))
  keys.command('revoke')
    .description('revoke a key')
    .argument('<key>', 'the id of the key, key_…')
    .action(run(async (config, output, _options, key: string) => {
      const { keysRevokeCommand } = await import('../keys.ts')
      await keysRevokeCommand(config, output, key)
    }))
}

/** Declares `status`, which says whether action is needed. */
export function addStatus (program: Command, run: Run): void {
  program.command('status')
    .description('show the lag of the projections, parked cards and orders, open quarantine rows, and the heads of the log')
    .addHelpText('after', `
The exit status is 1 when action is needed: something is parked, a projection is outdated, a projection lags by more than 60 s, or
an event is missing in the log. Open quarantine rows are shown but do not affect the exit status.`)
    .action(run(async (config, output) => {
      const { statusCommand } = await import('../status.ts')
      await statusCommand(config, output)
    }))
}

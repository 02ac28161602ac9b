import type { FastifyBaseLogger } from 'fastify'
import { pino } from 'pino'
import type { Config } from '../config.ts'
import { migrate, openDatabase } from '../app/open.ts'
import type { Output } from '../app/output.ts'
import { startService, type Service, type StartedService } from '../app/service.ts'
import { createShutdown } from '../app/shutdown.ts'

export interface ServeOptions {
  only: 'api' | 'worker' | undefined
  migrate: boolean
  version: string
}

/** `serve`: the API, the worker, or both in one process, until a signal ends it. */
export async function serveCommand (config: Config, output: Output, { only, version, ...options }: ServeOptions): Promise<void> {
  const log = pino({ level: config.LOG_LEVEL }) as FastifyBaseLogger
  const progress = (line: string): void => { output.progress(line) }
  const shutdown = createShutdown(config.SHUTDOWN_TIMEOUT_MS, progress)
  try {
    const database = await openDatabase(config, progress)
    shutdown.onStop('database', database.close)
    if (options.migrate || database.embedded) await migrate(database, config, line => { log.debug(line) })
    const service: Service = { database, config, only, version, log, shutdown, progress }
    progress(welcome(await startService(service), service))
  } catch (error) {
    await shutdown.stop()
    throw error
  }
  await shutdown.stopped
}

function welcome ({ url, hasKeys, secretFile }: StartedService, { config, only, version, database }: Service): string {
  if (only === 'worker') return `The worker of loyalty ledger ${version} runs; ${url}/readyz says whether it is ready.`
  const lines = [
    `Loyalty ledger ${version} is ready on ${url}`,
    '',
    `  ${config.PORT === 3000 ? '' : `PORT=${new URL(url).port} `}make demo                       posts two real webhooks, in another terminal, and reads what came of them`,
    `  ${url}/docs      every route, to read and to try`,
    ...(database.embedded ? [`  psql "$(cat ${config.DATA_DIR}/database.url)"   the same in SQL: schema reporting`] : []),
    ''
  ]
  if (secretFile !== undefined) lines.push(`WEBHOOK_SECRETS is unset: sign with the secret in ${secretFile}, made for this machine.`)
  if (!hasKeys) lines.push('Protected mode: there is no API key yet, so reads are open to this machine and closed to all others.')
  if (only === 'api') lines.push('Nothing is projected here: run `npx loyalty-ledger serve --only worker` beside it.')
  return lines.join('\n')
}

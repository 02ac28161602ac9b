import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type, type Static } from '@sinclair/typebox'
import { describeOutdated } from '../../engine/rebuild/versions.ts'
import type { WorkerHealth } from '../../engine/worker.ts'
import { ping, type Db } from '../../postgres/database.ts'

export interface HealthOptions {
  db: Db
  /** Names of migrations that this code has and the database lacks. */
  pendingMigrations: () => Promise<string[]>
  /** Of the worker in this process; undefined where there is none. */
  worker: (() => WorkerHealth | Promise<WorkerHealth>) | undefined
}

const Check = Type.Object({ ok: Type.Boolean(), detail: Type.String() })
const Readiness = Type.Object({
  status: Type.Union([Type.Literal('ready'), Type.Literal('unready')]),
  checks: Type.Object({ database: Check, migrations: Check, worker: Check })
})

const PROBE_TIMEOUT_MS = 2000

/** Where the text of a failure is: it may name customers or machines, and these routes are open to everybody. */
const WHY = 'the log and GET /v1/status say why'

/**
 * Says whether the process is up, and whether it can do its work. Open to everybody, so it says that something fails,
 * never how.
 */
export const healthRoutes: FastifyPluginAsyncTypebox<HealthOptions> = async (app, options) => {
  app.get('/livez', {
    schema: { operationId: 'livez', summary: 'The process is up', tags: ['health'], response: { 200: Type.Object({ status: Type.Literal('live') }) } }
  }, async () => ({ status: 'live' as const }))

  app.get('/readyz', {
    schema: {
      operationId: 'readyz',
      summary: 'Database reachable, migrations current, worker alive',
      tags: ['health'],
      response: { 200: Readiness, 503: Readiness }
    }
  }, async (request, reply) => {
    const failed = (error: unknown): void => { request.log.warn({ err: error }, 'the database does not answer the readiness probe') }
    const database = await probe(async () => {
      await ping(options.db)
      return { ok: true, detail: 'reachable' }
    }, failed)
    const migrations = database.ok ? await probe(async () => await migrationsCurrent(options), failed) : { ok: false, detail: 'unknown while the database is away' }
    const checks = { database, migrations, worker: workerReady(await options.worker?.()) }
    const ready = Object.values(checks).every(check => check.ok)
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ready' : 'unready', checks })
  })
}

type CheckResult = Static<typeof Check>

async function migrationsCurrent ({ pendingMigrations }: HealthOptions): Promise<CheckResult> {
  const pending = await pendingMigrations()
  if (pending.length === 0) return { ok: true, detail: 'current' }
  return { ok: false, detail: `not applied: ${pending.join(', ')}; run \`npx loyalty-ledger migrate up\`` }
}

function workerReady (worker: WorkerHealth | undefined): CheckResult {
  if (worker === undefined) return { ok: true, detail: 'none in this process (--only api)' }
  if (!worker.alive) return { ok: false, detail: 'ended; restart the process' }
  if (worker.waiting !== undefined) return { ok: false, detail: `cannot claim a shard; ${WHY}` }
  // Restarting helps with none of these, so the process is ready all the same.
  const troubles = [
    ...(worker.resting.length > 0 ? [`the last step of ${worker.resting.length} shard(s) failed and is tried again; ${WHY}`] : []),
    ...(worker.outdated.length > 0 ? [describeOutdated(worker.outdated)] : [])
  ]
  return { ok: true, detail: ['alive', ...troubles].join('; ') }
}

async function probe (check: () => Promise<CheckResult>, failed: (error: unknown) => void): Promise<CheckResult> {
  let timer: NodeJS.Timeout | undefined
  try {
    const late = new Promise<CheckResult>(resolve => {
      timer = setTimeout(() => { resolve({ ok: false, detail: `no answer within ${PROBE_TIMEOUT_MS} ms` }) }, PROBE_TIMEOUT_MS)
    })
    return await Promise.race([check(), late])
  } catch (error) {
    failed(error)
    return { ok: false, detail: 'not available; the log says why' }
  } finally {
    clearTimeout(timer)
  }
}

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
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

/** Is the process up, and can it do its work? Open to all: they tell nothing of customers. */
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
  }, async (_request, reply) => {
    const database = await probe(async () => {
      await ping(options.db)
      return 'reachable'
    })
    const migrations = database.ok ? await probe(() => migrationsCurrent(options)) : { ok: false, detail: 'unknown while the database is away' }
    const checks = { database, migrations, worker: workerAlive(await options.worker?.()) }
    const ready = Object.values(checks).every(check => check.ok)
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ready' : 'unready', checks })
  })
}

async function migrationsCurrent ({ pendingMigrations }: HealthOptions): Promise<string> {
  const pending = await pendingMigrations()
  if (pending.length > 0) throw new Error(`not applied: ${pending.join(', ')}; run \`npx loyalty-ledger migrate up\``)
  return 'current'
}

function workerAlive (worker: WorkerHealth | undefined): { ok: boolean, detail: string } {
  if (worker === undefined) return { ok: true, detail: 'none in this process (--only api)' }
  if (!worker.alive) return { ok: false, detail: 'ended; restart the process' }
  if (worker.waiting !== undefined) return { ok: false, detail: `waiting: ${worker.waiting}` }
  // Restarting would help with none of these, so the process is ready all the same.
  const troubles = [
    ...(worker.resting.length > 0 ? [`failing and tried again: ${worker.resting.map(({ reason }) => reason).join('; ')}`] : []),
    ...(worker.outdated.length > 0 ? [describeOutdated(worker.outdated)] : [])
  ]
  return { ok: true, detail: ['alive', ...troubles].join('; ') }
}

async function probe (check: () => Promise<string>): Promise<{ ok: boolean, detail: string }> {
  let timer: NodeJS.Timeout | undefined
  try {
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => { reject(new Error(`no answer within ${PROBE_TIMEOUT_MS} ms`)) }, PROBE_TIMEOUT_MS)
    })
    return { ok: true, detail: await Promise.race([check(), late]) }
  } catch (error) {
    return { ok: false, detail: (error as Error).message }
  } finally {
    clearTimeout(timer)
  }
}

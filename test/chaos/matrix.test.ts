// The crash matrix: every operation, cut off at each of its requests to the database, before the server has it and
// after the server has done it. What is left must be a state that the operation may leave; and done again, all must be
// as if nothing had happened. The landing run takes a few requests of each, from one drawn by MATRIX_SEED on;
// MATRIX=all and `npm run test:long` take every one. Connections are cut as a crash cuts them, and the process lives
// on: it is killed itself in chaos.test.ts.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'kysely'
import type pg from 'pg'
import { test, type Test } from 'tap'
import { verifyLog } from '../../src/audit/log.ts'
import { eraseCommand } from '../../src/cli/erase.ts'
import { exportCommand } from '../../src/cli/export.ts'
import { importCommand } from '../../src/cli/import.ts'
import type { Output } from '../../src/app/output.ts'
import { rebuildCommand } from '../../src/cli/rebuild.ts'
import { loadConfig, type Config } from '../../src/config.ts'
import { CHUNK } from '../../src/erasure/refold.ts'
import { receiveDelivery, type Received } from '../../src/ingest/receive.ts'
import { projections } from '../../src/projections/index.ts'
import { runStep } from '../../src/engine/step.ts'
import { verifyProjections } from '../../src/engine/rebuild/verify.ts'
import { createRandom } from '../../simulator/random.ts'
import { simulate } from '../../simulator/simulate.ts'
import { createAppender } from '../../src/log/appender.ts'
import { createCheckpoints } from '../../src/engine/checkpoints.sql.ts'
import { closePool, databaseOf, openPool, type Db, type ProjectionSchema } from '../../src/postgres/database.ts'
import { createShards } from '../../src/log/shards.sql.ts'
import { LONG, SEED as CHANCE } from '../support/chance.ts'
import { awardData } from '../support/deliveries.ts'
import { createDatabase } from '../support/database.ts'
import { findEverywhere } from '../support/everywhere.ts'
import { waitUntil } from '../support/wait.ts'
import { openProxy } from './proxy.ts'

const SEED = process.env['MATRIX_SEED'] ?? String(CHANCE)
const SHARDS = 4
const POINTS = process.env['MATRIX'] === 'all' || (LONG && process.env['MATRIX'] === undefined) ? Infinity : 1
const SECRET_NAME = 'Wilhelmina Unforgotten'
const CUSTOMER = 'cust_erased'
const EXPORTED = 'exported.ndjson'
const QUIET: Output = { json: true, result () {}, async write () {}, progress () {} }

interface Operation {
  name: string
  /** What stands in the database before it. */
  given: (db: Db, t: Test) => Promise<void>
  /** Does it; of what it may count on afterwards it tells. */
  run: (url: string, t: Test) => Promise<void>
  /** What state it is in, in a word or two. */
  state: (pool: pg.Pool) => Promise<string>
}

async function withDb<T> (url: string, action: (db: Db) => Promise<T>, options: { role?: string, projectionSchema?: ProjectionSchema } = {}): Promise<T> {
  const pool = openPool({ url, ...options, poolSize: 4, name: 'operation', onIdleError: () => {} })
  try {
    return await action(databaseOf(pool))
  } finally {
    await closePool(pool)
  }
}

const intakeOf = (db: Db) => ({ db, appender: createAppender(db, { queueLimit: 1000 }), shards: SHARDS })

const HISTORY = simulate({ seed: 5, customers: 3, events: 60, chaos: 'low' }).deliveries.filter(({ kind }) => kind !== 'forged').map(({ body }) => body)
const personal = (count: number): Buffer[] => Array.from({ length: count }, (_, index) => {
  const award = awardData({ customer: CUSTOMER, card: 'v_erased', rule: `ern_${index}`, points: 10, balance: null })
  return Buffer.from(JSON.stringify({ ...award, customer: { ...award.customer, name: SECRET_NAME, metadata: { called: SECRET_NAME } } }))
})
const PERSONAL = personal(4)
const FRESH = [
  ...Array.from({ length: 3 }, (_, index) => Buffer.from(JSON.stringify(awardData({ customer: `cust_${index}`, card: `v_new_${index}`, rule: 'ern_new' })))),
  Buffer.from('not JSON at all')
]

async function take (db: Db, bodies: readonly Buffer[]): Promise<Received[]> {
  const intake = intakeOf(db)
  return await Promise.all(bodies.map(async body => await receiveDelivery(body, {}, intake)))
}

async function projectAll (db: Db, batch = 2000): Promise<void> {
  while (await runStep(db, projections, { batch }) !== undefined);
}

/** Deliveries that were answered with a 2xx: whatever breaks, they are stored. */
const acknowledged = new Map<string, Received[]>()

const count = async (pool: pg.Pool, query: string): Promise<string> => Object.values((await pool.query<Record<string, string>>(query)).rows[0] ?? {}).join()
const lagOf = async (pool: pg.Pool): Promise<string> => await count(pool, 'select count(distinct shard) from projection.checkpoints join ledger.shards using (shard) where position < head')

async function filled (db: Db): Promise<void> {
  await take(db, [...HISTORY, ...PERSONAL])
  await projectAll(db)
}

const ingested = async (pool: pg.Pool): Promise<string> => `${await count(pool, "select count(*) from ledger.events where event_id like 'ev%' and subject like 'award:ern_new%'")} stored, ${await count(pool, "select count(*) from ledger.quarantine where reason = 'not_json'")} set aside`
const imported = async (pool: pg.Pool): Promise<string> => `${await count(pool, "select count(*) from ledger.events where subject like 'award:ern_new%'")} stored, ${await lagOf(pool)} shards behind`

async function rebuildUp (url: string): Promise<void> {
  await rebuildCommand(configFor(url), QUIET, undefined, 'start')
}

const operations: Operation[] = [
  {
    name: 'ingest',
    given: filled,
    async run (url) {
      await withDb(url, async db => {
        const taken: Received[] = []
        acknowledged.set(url, taken)
        const intake = intakeOf(db)
        for (const body of FRESH) taken.push(await receiveDelivery(body, {}, intake))
      }, { role: 'ledger_service' })
    },
    state: ingested
  },
  {
    name: 'ingest of a batch',
    given: filled,
    async run (url) {
      await withDb(url, async db => {
        const taken: Received[] = []
        acknowledged.set(url, taken)
        const intake = intakeOf(db)
        const taking = FRESH.map(async body => { taken.push(await receiveDelivery(body, {}, intake)) })
        await Promise.allSettled(taking)
        await Promise.all(taking)
      }, { role: 'ledger_service' })
    },
    state: ingested
  },
  {
    name: 'step',
    given: async db => { await take(db, [...HISTORY, ...PERSONAL]) },
    run: async url => { await withDb(url, async db => { await projectAll(db, 20) }, { role: 'ledger_service' }) },
    state: async pool => `${await lagOf(pool)} shards behind`
  },
  {
    name: 'rebuild',
    given: filled,
    run: rebuildUp,
    state: async pool => await count(pool, "select to_regclass('projection_build.checkpoints') is not null") === 'true'
      ? `built with ${await count(pool, 'select count(distinct shard) from projection_build.checkpoints join ledger.shards using (shard) where position < head')} shards behind`
      : 'not begun'
  },
  {
    name: 'switch',
    async given (db) {
      await filled(db)
      // By which old tables can be told from new ones of the same names.
      await sql`create table public.old as select oid from pg_class where relnamespace = 'projection'::regnamespace and relkind = 'r' and relname not in ('checkpoints', 'parked', 'waiting')`.execute(db)
    },
    run: async url => { await rebuildCommand(configFor(url), QUIET, undefined, 'switch') },
    state: async pool => await count(pool, `
      select case count(o.oid) when 0 then 'new tables' when (select count(*) from public.old) then 'old tables' else 'a mixture' end
      from pg_class c left join public.old o on o.oid = c.oid
      where c.relnamespace = 'projection'::regnamespace and c.relkind = 'r'`)
  },
  {
    name: 'import',
    given: filled,
    async run (url, t) {
      const file = join(t.testdirName, `${new URL(url).pathname.slice(1)}.ndjson`)
      writeFileSync(file, FRESH.slice(0, 3).map(body => `${body.toString()}\n`).join(''))
      await importCommand(configFor(url), QUIET, [file], { dryRun: false, skipBad: false })
    },
    state: imported
  },
  {
    name: 'import of an export',
    async given (db, t) {
      await take(db, PERSONAL)
      await projectAll(db)
      const exported = await createDatabase(t, { shards: SHARDS })
      await withDb(exported.url, async db => { await take(db, [...HISTORY, ...PERSONAL, ...FRESH.slice(0, 3)]) })
      await exportCommand(configFor(exported.url), QUIET, join(t.testdirName, EXPORTED))
    },
    run: async (url, t) => { await importCommand(configFor(url), QUIET, [join(t.testdirName, EXPORTED)], { dryRun: false, skipBad: false }) },
    state: imported
  },
  {
    name: 'erase',
    async given (db) {
      await take(db, [...HISTORY, ...personal(CHUNK.items + 10)])
      await projectAll(db)
    },
    run: async url => { await eraseCommand(configFor(url), QUIET, CUSTOMER, { reason: 'on request', dryRun: false, yes: true }) },
    state: async pool => `${await count(pool, 'select count(*) from ledger.events where erased_by is not null')} erased, ${await count(pool, "select count(*) from ledger.events where type = 'ledger.customer.erased'")} recorded`
  }
]

function configFor (url: string): Config {
  return loadConfig({ DATABASE_URL: url, PROJECTION_BATCH_EVENTS: '20' })
}

/** Everything that must be the same in the end, however it came about. */
async function outcome (pool: pg.Pool): Promise<Record<string, unknown>> {
  const queries = {
    events: "select event_id, subject, encode(fact_digest, 'hex') as facts, encode(body_digest, 'hex') as received, body::text, erased_by is not null as erased from ledger.events where type <> 'ledger.customer.erased' order by 1, 2",
    quarantine: "select encode(body_digest, 'hex') as received, reason, state from ledger.quarantine order by 1",
    cards: 'select to_jsonb(c) from projection.cards c order by card_id',
    lines: "select to_jsonb(l) - 'recorded_at' from projection.statement_lines l order by card_id, occurred_at, ordinal",
    customers: 'select to_jsonb(c) from projection.customers c order by customer_id',
    orders: 'select to_jsonb(o) from projection.orders o order by order_id',
    projectionSchemas: "select nspname from pg_namespace where nspname like 'projection%' order by 1"
  }
  return Object.fromEntries(await Promise.all(Object.entries(queries).map(async ([name, query]) => [name, (await pool.query(query)).rows])))
}

async function findings (url: string): Promise<unknown[]> {
  const found: unknown[] = []
  await withDb(url, async db => { await verifyLog(db, { against: undefined, found: finding => { found.push(finding) }, begins () {}, progress () {} }) })
  await withDb(url, async db => {
    await verifyProjections(db, projections, { batch: 500, limit: 5, found: finding => { found.push(finding) }, unnamed () {} })
  }, { projectionSchema: 'pg_temp' })
  return found
}

/** Other sessions of a database are gone: what was cut off has been rolled back. */
async function settled (pool: pg.Pool): Promise<void> {
  await waitUntil(async () => (await pool.query("select from pg_stat_activity where datname = current_database() and application_name like 'loyalty-ledger %' and application_name <> 'loyalty-ledger test'")).rowCount === 0, { what: 'the server to let go of what was cut off' })
}

for (const operation of operations) {
  test(`${operation.name}, cut off at its requests (MATRIX_SEED=${SEED})`, async t => {
    t.testdir({})
    // A database can be copied only while nobody uses it: its own pool never connects.
    const before = await createDatabase(t, { shards: 0 })
    await withDb(before.url, async db => {
      await createShards(db, SHARDS)
      await createCheckpoints(db, projections)
      await operation.given(db, t)
    })
    const copy = async (inner: Test): ReturnType<typeof createDatabase> => await createDatabase(inner, { copyOf: before.url })

    const whole = await copy(t)
    const counting = await openProxy(t, whole.url)
    await operation.run(counting.url, t)
    process.exitCode = undefined
    await withDb(whole.url, async db => { await projectAll(db) })
    const requests = counting.requests()
    const expected = await outcome(whole.pool)
    t.same(await findings(whole.url), [])

    const states = new Map<string, number>()
    let points = 0
    let cuts = 0
    const every = Math.max(1, Math.floor(requests / POINTS))
    for (let request = createRandom(`${SEED}/${operation.name}`).integer(1, every); request <= requests; request += every) {
      for (const when of ['before', 'after'] as const) {
        await t.test(`${when} request ${request} of ${requests}`, async inner => {
          points++
          const { url, pool } = await copy(inner)
          const proxy = await openProxy(inner, url)
          const cut = proxy.cutAt(request, when)
          proxy.onLink(link => { if (cut.hasActed()) link.cut() })
          const running = operation.run(proxy.url, t).then(() => 'done', () => 'broken off')
          await Promise.race([cut.done, running])
          // How often it asks may depend on the time, so the last of its requests may be missing another time.
          if (cut.hasActed()) cuts++
          else inner.same([await running, proxy.requests() < request], ['done', true], 'it had fewer requests this time')
          await settled(pool)

          const state = await operation.state(pool)
          states.set(state, (states.get(state) ?? 0) + 1)
          inner.not(state, 'a mixture')
          inner.same(await findings(url), [], 'what is left is in order')
          await everyAnswerHolds(inner, pool, acknowledged.get(proxy.url) ?? [])

          await operation.run(url, t)
          process.exitCode = undefined
          await withDb(url, async db => { await projectAll(db) })
          inner.same(await outcome(pool), expected, 'done again, all is as if nothing had happened')
          if (operation.name === 'erase') inner.same(await findEverywhere(pool, [SECRET_NAME]), [])
        })
      }
    }
    t.ok(cuts > points / 2, `it was cut off at ${cuts} of ${points} points`)
    t.comment(`${operation.name}: ${requests} requests; left behind: ${[...states].map(([state, times]) => `${state} (${times} times)`).join('; ')}`)
  })
}

async function everyAnswerHolds (t: Test, pool: pg.Pool, taken: readonly Received[]): Promise<void> {
  for (const answer of taken) {
    const { rowCount } = answer.status === 'quarantined'
      ? await pool.query('select from ledger.quarantine where quarantine_id = $1', [answer.quarantine_id])
      : await pool.query("select from ledger.events where event_id = $1 and subject = $2 and shard || ':' || position = $3", [answer.event_id, answer.subject, answer.position])
    t.equal(rowCount, 1, `what was ${answer.status} is there`)
  }
}

// An API and two workers in processes of their own under load, while whatever can fail does. `npm run chaos` is the
// long form; CHAOS_SEED repeats the faults and the load, though not the moments at which they meet.
import { setTimeout as pause } from 'node:timers/promises'
import { test, type Test } from 'tap'
import { createDifferences } from '../../simulator/differences.ts'
import { createRandom } from '../../simulator/random.ts'
import { LONG, SEED as CHANCE } from '../support/chance.ts'
import { waitUntil } from '../support/wait.ts'
import { assertAcknowledgedIsStored, assertContiguous, assertNothingParked, assertVerified, compareWithOracle } from './aftermath.ts'
import { openChaosCluster } from './cluster.ts'
import { faultKinds, faults, isKill, schedule, type FaultKind, type Rig } from './faults.ts'
import { watchCheckpoints } from './fence.ts'
import { watchLag } from './lag.ts'
import { startLoad, type Load } from './load.ts'
import { supervise, type Supervised } from './processes.ts'

const SEED = process.env['CHAOS_SEED'] ?? String(CHANCE)
const KILLS = process.env['CHAOS_KILLS'] ?? (LONG ? '200' : undefined)
const SILENCE_MS = 1500
const RATE = 60
/** Faults hit a system that works: so much is acknowledged between one and the next, and something projected. */
const PROGRESS = 15

async function openRig (t: Test): Promise<Rig> {
  const cluster = await openChaosCluster(t)
  const environment = { DATABASE_TIMEOUT_MS: String(SILENCE_MS), WEBHOOK_SECRETS: 'secret', DATA_DIR: t.testdir() }
  const [api, ...workers] = await Promise.all([
    supervise(t, 'api', ['--only', 'api'], cluster.url, environment),
    supervise(t, 'worker 1', ['--only', 'worker'], cluster.url, environment),
    supervise(t, 'worker 2', ['--only', 'worker'], cluster.url, environment)
  ])
  return { cluster, api, workers, timeout_ms: SILENCE_MS }
}

/** How many events have been folded, over all projections. */
async function projected ({ cluster }: Rig): Promise<number> {
  const { rows } = await cluster.pool.query<{ folded: string }>('select sum(position) as folded from projection.checkpoints')
  return Number(rows[0]?.folded)
}

/** Lets the faults befall it, one beginning after the other; some last, and overlap. */
async function befall (t: Test, rig: Rig, planned: readonly FaultKind[], load: Load): Promise<void> {
  const lasting: Array<Promise<void>> = []
  for (const [index, kind] of planned.entries()) {
    const random = createRandom(`${SEED}/fault ${index}`)
    const enough = load.acknowledged.length + PROGRESS
    const before = await waitUntil(async () => await projected(rig), { timeout_ms: 60_000, what: 'a projection' })
    await waitUntil(async () => load.acknowledged.length >= enough && await projected(rig) > before, {
      timeout_ms: 120_000, what: `something to be acknowledged and projected before fault ${index + 1}, ${kind}`
    })
    await pause(random.integer(0, 300))
    t.comment(`${index + 1}/${planned.length} ${kind}`)
    const over = faults[kind](rig, random)
    // A death is over when it has happened; the rest goes on beside what comes next.
    if (isKill(kind)) await over
    else lasting.push(over)
  }
  await Promise.all(lasting)
}

/** Why steps failed, by what the workers logged, and how often. */
function failuresOf (workers: readonly Supervised[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const line of workers.flatMap(({ said }) => said().split('\n'))) {
    const message = /"message":"([^"]*)"/.exec(line)?.[1]?.replace(/shard \d+/, 'a shard')
    if (message !== undefined) counts.set(message, (counts.get(message) ?? 0) + 1)
  }
  return counts
}

test(`whatever fails, nothing acknowledged is lost and nothing counts twice (CHAOS_SEED=${SEED})`, async t => {
  const began_ms = Date.now()
  const rig = await openRig(t)
  const { cluster, api, workers } = rig
  const planned = schedule(createRandom(SEED), KILLS === undefined ? { faults: 15 } : { kills: Number(KILLS) })
  const differences = createDifferences()
  const greatestLag = watchLag(t, cluster.pool)
  const strayed = await watchCheckpoints(t, cluster.pool)
  const loading = startLoad(t, api.url, SEED, RATE, differences)
  await befall(t, rig, planned, loading.load)
  const load = await loading.stop()

  for (const { isReady, name } of [api, ...workers]) await waitUntil(isReady, { timeout_ms: 30_000, what: `${name} to be ready after all` })
  // First what is most grave: a projection waits in vain for events that were lost.
  await assertAcknowledgedIsStored(t, cluster.pool, load)
  await assertContiguous(t, cluster.pool)
  t.same((await strayed()).slice(0, 20), [], 'no checkpoint went back, was moved twice to one place, or passed its head')
  await compareWithOracle(api.url, load, began_ms, differences)
  const lag = await greatestLag()
  await assertNothingParked(t, cluster.pool)
  await assertVerified(t, cluster.url)
  t.same(differences.kept, [], 'every answer was one to expect, and the ledger says what the oracle says')
  // Who starts while PostgreSQL is away ends with that word; nothing else may end a process.
  t.same([api, ...workers].flatMap(({ endedByItself }) => endedByItself).filter(said => !/The database cannot be used/.test(said)), [])
  t.ok(load.slowest_ms < 15_000, `no answer took longer than the provider waits, and some: ${load.slowest_ms} ms`)
  t.equal(load.outcomes.given_up, 0)

  for (const [failure, count] of failuresOf(workers)) t.comment(`${count} times: ${failure}`)
  const counts = faultKinds.map(kind => `${kind} ${planned.filter(planned => planned === kind).length}`)
  t.comment(`faults: ${counts.join(', ')}; kills ${planned.filter(isKill).length}`)
  t.comment(`deliveries ${load.deliveries}, acknowledged ${load.acknowledged.length}, ${Object.entries(load.outcomes).map(([outcome, count]) => `${outcome} ${count}`).join(', ')}, retries ${load.retries}`)
  t.comment(`differences ${differences.total}; slowest answer ${Math.round(load.slowest_ms)} ms; greatest lag ${lag.events} events, ${lag.seconds.toFixed(1)} s; ${Math.round((Date.now() - began_ms) / 1000)} s in all`)
})

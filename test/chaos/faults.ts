import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import type { Random } from '../../simulator/random.ts'
import type { ChaosCluster } from './cluster.ts'
import type { Link } from './link.ts'
import type { Supervised } from './processes.ts'
import type { Proxy } from './proxy.ts'

/** What faults befall: an API and workers, each with its own way to one PostgreSQL. */
export interface Rig {
  cluster: ChaosCluster
  api: Supervised
  workers: readonly Supervised[]
  /**
   * For how long a connection may say nothing; the server ends what rests in a transaction after three times as long.
   */
  timeout_ms: number
}

/** One fault: resolves when it is over. What it needs of chance it has drawn before. */
type Fault = (rig: Rig, random: Random) => Promise<void>

export const faults = {
  kill_api: async ({ api }, random) => { await atSomeRequest(api.proxy, random, async () => { await api.kill() }) },
  kill_worker: async ({ workers }, random) => {
    const worker = random.pick(workers)
    await atSomeRequest(worker.proxy, random, async () => { await worker.kill() })
  },
  /** One process of PostgreSQL that serves us, which then ends all the others, and recovers. */
  kill_backend: async ({ cluster, api, workers }, random) => {
    await atSomeRequest(random.pick([api, ...workers]).proxy, random, async () => { await cluster.killBackend(pids => random.pick(pids)) })
  },
  /** Ends one connection in order. */
  terminate_backend: async ({ cluster }, random) => {
    const pids = await cluster.backends()
    if (pids.length > 0) await cluster.pool.query('select pg_terminate_backend($1)', [random.pick(pids)])
  },
  kill_postgres: async ({ cluster, api, workers }, random) => {
    await atSomeRequest(random.pick([api, ...workers]).proxy, random, async () => { await cluster.kill() })
  },
  /** One connection, at some moment of what it does: shorter than anybody notices, or longer. */
  stall_connection: async ({ api, workers, timeout_ms }, random) => {
    const stalled: Link[] = []
    await atSomeRequest(random.pick([api, ...workers]).proxy, random, async link => {
      link?.stall()
      if (link !== undefined) stalled.push(link)
    })
    await pause(random.integer(100, timeout_ms * 4))
    for (const link of stalled) link.resume()
  },
  /** All connections of a process, and those that it makes meanwhile. */
  stall_process: async ({ api, workers, timeout_ms }, random) => {
    const { proxy } = random.pick([api, ...workers])
    const end = proxy.onLink(link => { link.stall() })
    for (const link of proxy.links()) link.stall()
    await pause(random.integer(100, timeout_ms * 2))
    end()
    for (const link of proxy.links()) link.resume()
  },
  pause_worker: async ({ workers, timeout_ms }, random) => {
    const worker = random.pick(workers)
    await atSomeRequest(worker.proxy, random, async () => { worker.pause() })
    await pause(random.integer(timeout_ms, timeout_ms * 5))
    worker.resume()
  },
  dead_listener: async ({ workers, timeout_ms }, random) => {
    const { proxy } = random.pick(workers)
    const end = proxy.onLink(link => { if (link.name.endsWith('listener')) link.die() })
    for (const link of proxy.links(/listener$/)) link.die()
    await pause(timeout_ms)
    end()
  },
  /** Somebody else's transaction that has written and does not end. */
  foreign_writer: async ({ cluster, timeout_ms }) => {
    await whileOpen(cluster, `
      create schema if not exists foreign_business;
      create table if not exists foreign_business.orders (id int);
      begin; insert into foreign_business.orders values (1)`, timeout_ms * 4)
  },
  /** Somebody else's long look at everything. */
  foreign_snapshot: async ({ cluster, timeout_ms }) => {
    await whileOpen(cluster, 'begin isolation level repeatable read; select count(*) from ledger.events', timeout_ms * 4)
  }
} satisfies Record<string, Fault>

export type FaultKind = keyof typeof faults
export const faultKinds = Object.keys(faults) as FaultKind[]

export function isKill (kind: FaultKind): boolean {
  return kind.startsWith('kill_')
}

/** Every kind once, then as chance has it until there are so many faults, or kills. */
export function schedule (random: Random, enough: { faults: number } | { kills: number }): FaultKind[] {
  const planned = faultKinds.map(kind => ({ kind, at: random.next() })).sort((a, b) => a.at - b.at).map(({ kind }) => kind)
  const kills = faultKinds.filter(isKill)
  const isEnough = (): boolean => 'faults' in enough ? planned.length >= enough.faults : planned.filter(isKill).length >= enough.kills
  while (!isEnough()) planned.push(random.chance(0.7) ? random.pick(kills) : random.pick(faultKinds))
  return planned
}

/** How long it may take until a process makes the request at which something shall happen; then it happens anyway. */
const MOMENT_MS = 500

/**
 * Acts in the middle of what a process does: before one of its next requests, or when the server has done it and nobody
 * knows.
 */
async function atSomeRequest (proxy: Proxy, random: Random, act: (link?: Link) => Promise<void>): Promise<void> {
  const cutting = proxy.cutAt(random.integer(1, 12), random.pick(['before', 'after']), { act })
  await Promise.race([cutting.done, pause(MOMENT_MS)])
  cutting.forget()
  await (cutting.hasActed() ? cutting.done : act())
}

async function whileOpen ({ url }: ChaosCluster, statements: string, open_ms: number): Promise<void> {
  const client = new pg.Client({ connectionString: url, application_name: 'somebody else' })
  // PostgreSQL may be killed meanwhile.
  client.on('error', () => {})
  await client.connect().then(async () => {
    await client.query(statements)
    await pause(open_ms)
    await client.query('rollback')
  }).catch(() => {})
  await client.end().catch(() => {})
}

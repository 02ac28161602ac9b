import type pg from 'pg'
import type { Cluster } from './cluster.ts'
import { start, type Contender, type Running } from './contenders/contender.ts'

export type Size = 'quick' | 'full'

/** A figure of the table: what was asked for, and what came out. */
export interface Figure {
  figure: string
  /** `at least` or `at most` this. */
  goal: { atLeast: number } | { atMost: number }
  value: number
  /** Of `value` and goal; nothing for a ratio. */
  unit?: string
  /** The absolute figures behind it, for people: they mean little on another machine. */
  detail: string
}

export interface Bench {
  cluster: Cluster
  size: Size
  /** Rounds of each comparison: five at least, or medians mean little. */
  rounds: number
  log: (line: string) => void
  /** An empty database that is prepared for a contender. Drop it with `cluster.drop(nameOf(url))`. */
  databaseFor: (contender: Contender) => Promise<string>
}

export interface Scenario {
  name: string
  run: (bench: Bench) => Promise<Figure[]>
}

let made = 0
const prepared = new Map<Contender, string>()

/** A copy of the contender's prepared database, which is made at the first call. */
export async function databaseFor (cluster: Cluster, contender: Contender): Promise<string> {
  let template = prepared.get(contender)
  if (template === undefined && contender.prepare !== undefined) {
    template = `template_${prepared.size}`
    await contender.prepare(await cluster.create(template))
    prepared.set(contender, template)
  }
  return await cluster.create(`round_${++made}`, template)
}

export function nameOf (url: string): string {
  return new URL(url).pathname.slice(1)
}

/** Runs a contender on a fresh database for as long as an action takes; the database goes with it. */
export async function withContender<T> (bench: Bench, contender: Contender, action: (running: Running, url: string) => Promise<T>): Promise<T> {
  const url = await bench.databaseFor(contender)
  const running = await start(contender, url)
  try {
    return await action(running, url)
  } finally {
    await running.stop()
    await bench.cluster.drop(nameOf(url))
  }
}

/** @throws Error unless every acknowledged event is stored, once */
export async function assertStoredOnce (contender: Contender, pool: pg.Pool, acknowledged: number): Promise<void> {
  if (contender.count === undefined) return
  const { events, rows } = await contender.count(pool)
  if (events !== acknowledged || rows !== acknowledged) {
    throw new Error(`${contender.name} acknowledged ${acknowledged} events and stored ${events}, in ${rows} rows`)
  }
}

import type pg from 'pg'
import type { Contender, Running } from '../contenders/contender.ts'
import { emmett } from '../contenders/emmett.ts'
import { graphileWorker } from '../contenders/graphile.ts'
import { ledger } from '../contenders/ledger.ts'
import { messageDb } from '../contenders/messagedb.ts'
import { pgBoss } from '../contenders/pgboss.ts'
import { deliver } from '../load/client.ts'
import { makeDeliveries } from '../load/deliveries.ts'
import { withPool } from '../pool.ts'
import { assertStoredOnce, withContender, type Bench, type Figure, type Scenario } from '../scenario.ts'
import { counted, median, ratio } from '../table.ts'
import { turned } from './ingest.ts'

const WARM_UP = 1500
const REPEATED = 200
const CUSTOMERS = 2000
const CONNECTIONS = 64

/** A contender that runs, and what it has shown so far. */
interface Measured {
  contender: Contender
  running: Running
  pool: pg.Pool
  rates: number[]
}

/**
 * Durable ingest by those whom one could use instead, each with its best honest configuration. All of them run all the time and
 * only one has work: a start of each in each round would take longer than the rounds.
 */
export const peers: Scenario = {
  name: 'peers',
  async run (bench) {
    return await withAll(bench, [ledger, emmett, pgBoss, graphileWorker, messageDb], async all => {
      const count = bench.size === 'full' ? 6000 : 800
      const warmUp = makeDeliveries({ count: WARM_UP, customers: CUSTOMERS, tag: 'w' }).deliveries
      for (const { contender, running: { origin }, pool } of all) {
        await deliver(warmUp, { origin, connections: CONNECTIONS })
        await deliver(warmUp.slice(0, REPEATED), { origin, connections: CONNECTIONS })
        await assertStoredOnce(contender, pool, warmUp.length)
      }
      for (let round = 0; round < bench.rounds; round++) {
        const { deliveries } = makeDeliveries({ count, customers: CUSTOMERS, tag: `p${round}` })
        for (const { contender, running: { origin }, pool, rates } of turned(all, round)) {
          await bench.cluster.settle()
          rates.push((await deliver(deliveries, { origin, connections: CONNECTIONS })).rate)
          await assertStoredOnce(contender, pool, WARM_UP + count * (round + 1))
        }
        bench.log(`round ${round + 1}: ${named(all, ({ rates }) => rates.at(-1) ?? 0)}`)
      }
      return [figureOf(all)]
    })
  }
}

function figureOf (all: readonly Measured[]): Figure {
  const [ours, ...others] = all as [Measured, ...Measured[]]
  const best = others.reduce((best, other) => median(other.rates) > median(best.rates) ? other : best)
  return {
    figure: 'ingest at 64 connections ÷ best peer',
    goal: { atLeast: 2.3 },
    value: ratio(ours.rates, best.rates),
    detail: `${named(all, ({ rates }) => median(rates))} a second`
  }
}

function named (all: readonly Measured[], rate: (measured: Measured) => number): string {
  return all.map(measured => `${measured.contender.name} ${counted(rate(measured))}`).join(', ')
}

/** Runs contenders side by side, each on a database of its own. */
async function withAll<T> (bench: Bench, contenders: readonly Contender[], action: (all: Measured[]) => Promise<T>, begun: Measured[] = []): Promise<T> {
  const [contender, ...rest] = contenders
  if (contender === undefined) return await action(begun)
  return await withContender(bench, contender, async (running, url) => await withPool(url, async pool =>
    await withAll(bench, rest, action, [...begun, { contender, running, pool, rates: [] }])))
}

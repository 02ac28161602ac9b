import pg from 'pg'
import { bare } from '../contenders/bare.ts'
import type { Contender } from '../contenders/contender.ts'
import { insert } from '../contenders/insert.ts'
import { ledger } from '../contenders/ledger.ts'
import { deliver, type Load } from '../load/client.ts'
import { makeDeliveries, type Delivery } from '../load/deliveries.ts'
import { assertStoredOnce, withContender, type Bench, type Figure, type Scenario } from '../scenario.ts'
import { counted, median, ratio } from '../table.ts'

const WARM_UP = 2500
const CUSTOMERS = 2000
const LEVELS = [1, 16, 64, 256]

/** Durable ingest of the same deliveries behind Fastify, by how many connections bring them. */
export const ingest: Scenario = {
  name: 'ingest',
  async run (bench) {
    const counts = (connections: number): number => (bench.size === 'full' ? 8 : 1) * (connections === 1 ? 500 : connections === 16 ? 1000 : 3000)
    const warmUp = makeDeliveries({ count: WARM_UP, customers: CUSTOMERS, tag: 'w' }).deliveries
    const figures: Figure[] = []
    const contenders = [ledger, bare, insert]
    const loads = new Map<Contender, Load[][]>(contenders.map(contender => [contender, LEVELS.map(() => [])]))
    const sets = LEVELS.map(level => makeDeliveries({ count: counts(level), customers: CUSTOMERS, tag: `l${level}` }).deliveries)
    for (let round = 0; round < bench.rounds; round++) {
      for (const contender of turned(contenders, round)) {
        for (const [index, load] of (await measure(bench, contender, warmUp, sets)).entries()) loads.get(contender)?.[index]?.push(load)
      }
      bench.log(`round ${round + 1}: ` + contenders.map(contender => `${contender.name} ${LEVELS.map((level, index) => `${level}: ${counted(loads.get(contender)?.[index]?.at(-1)?.rate ?? 0)} p50 ${loads.get(contender)?.[index]?.at(-1)?.p50_ms.toFixed(2)} p99 ${loads.get(contender)?.[index]?.at(-1)?.p99_ms.toFixed(1)}`).join(', ')}`).join(' · '))
    }
    const of = (contender: Contender, level: number, what: 'rate' | 'p50_ms' | 'p99_ms'): number[] => (loads.get(contender)?.[LEVELS.indexOf(level)] ?? []).map(load => load[what])
    const rates = (a: Contender, b: Contender, level: number): string => `${counted(median(of(a, level, 'rate')))} ÷ ${counted(median(of(b, level, 'rate')))} a second`
    figures.push(
      { figure: 'ingest at 64 connections ÷ bare Fastify', goal: { atLeast: 0.85 }, value: ratio(of(ledger, 64, 'rate'), of(bare, 64, 'rate')), detail: rates(ledger, bare, 64) },
      { figure: 'ingest at 256 connections ÷ bare Fastify', goal: { atLeast: 0.95 }, value: ratio(of(ledger, 256, 'rate'), of(bare, 256, 'rate')), detail: rates(ledger, bare, 256) },
      { figure: 'ingest at 64 connections ÷ one insert per request', goal: { atLeast: 2.3 }, value: ratio(of(ledger, 64, 'rate'), of(insert, 64, 'rate')), detail: rates(ledger, insert, 64) },
      { figure: 'ingest p99 ÷ bare p99 at 64 connections', goal: { atMost: 2.5 }, value: ratio(of(ledger, 64, 'p99_ms'), of(bare, 64, 'p99_ms')), detail: `${median(of(ledger, 64, 'p99_ms')).toFixed(1)} ÷ ${median(of(bare, 64, 'p99_ms')).toFixed(1)} ms` },
      { figure: 'ingest at 1 connection, p50 ÷ one insert per request p50', goal: { atMost: 1.2 }, value: ratio(of(ledger, 1, 'p50_ms'), of(insert, 1, 'p50_ms')), detail: `${median(of(ledger, 1, 'p50_ms')).toFixed(2)} ÷ ${median(of(insert, 1, 'p50_ms')).toFixed(2)} ms` }
    )
    return figures
  }
}

async function measure (bench: Bench, contender: Contender, warmUp: readonly Delivery[], sets: ReadonlyArray<readonly Delivery[]>): Promise<Load[]> {
  return await withContender(bench, contender, async ({ origin }, url) => {
    await deliver(warmUp, { origin, connections: 64 })
    const loads: Load[] = []
    for (const [index, deliveries] of sets.entries()) {
      await bench.cluster.settle()
      loads.push(await deliver(deliveries, { origin, connections: LEVELS[index] as number }))
    }
    const pool = new pg.Pool({ connectionString: url, max: 1 })
    await assertStoredOnce(contender, pool, warmUp.length + sets.reduce((sum, set) => sum + set.length, 0))
    await pool.end()
    return loads
  })
}

/** Each round begins with another one: none always runs on the coolest machine. */
export function turned<T> (items: readonly T[], by: number): T[] {
  return items.map((_, index) => items[(index + by) % items.length] as T)
}

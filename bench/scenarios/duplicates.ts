import { createRandom } from '../../simulator/random.ts'
import { ledger } from '../contenders/ledger.ts'
import { deliver } from '../load/client.ts'
import { makeDeliveries, type Delivery } from '../load/deliveries.ts'
import { withPool } from '../pool.ts'
import { assertStoredOnce, withContender, type Scenario } from '../scenario.ts'
import { counted, median, ratio } from '../table.ts'
import { turned } from './ingest.ts'

const WARM_UP = 2000
const CUSTOMERS = 2000
const FRESH_SHARE = 0.1

/** Deliveries of which nine in ten repeat an event, stored before or on its way, beside as many that are all new. */
export const duplicates: Scenario = {
  name: 'duplicates',
  async run (bench) {
    return await withContender(bench, ledger, async ({ origin }, url) => await withPool(url, async pool => {
      const count = bench.size === 'full' ? 12_000 : 1500
      const rates = { fresh: [] as number[], repeated: [] as number[] }
      let stored = 0
      const measure = async (deliveries: readonly Delivery[], fresh: number): Promise<number> => {
        await bench.cluster.settle()
        const { rate, answers } = await deliver(deliveries, { origin, connections: 64 })
        if (answers.get(202) !== fresh || (answers.get(200) ?? 0) !== deliveries.length - fresh) {
          throw new Error(`of ${deliveries.length} deliveries ${fresh} are new, and the answers were ${[...answers].map(([status, times]) => `${times} × ${status}`).join(', ')}`)
        }
        stored += fresh
        await assertStoredOnce(ledger, pool, stored)
        return rate
      }
      let known = makeDeliveries({ count: WARM_UP, customers: CUSTOMERS, tag: 'w' }).deliveries
      await measure(known, known.length)
      for (let round = 0; round < bench.rounds; round++) {
        const fresh = makeDeliveries({ count, customers: CUSTOMERS, tag: `f${round}` }).deliveries
        const few = makeDeliveries({ count: count * FRESH_SHARE, customers: CUSTOMERS, tag: `d${round}` }).deliveries
        const mixed = repeating(few, known, count, `round ${round}`)
        for (const kind of turned(['fresh', 'repeated'] as const, round)) {
          rates[kind].push(kind === 'fresh' ? await measure(fresh, fresh.length) : await measure(mixed, few.length))
        }
        known = fresh
        bench.log(`round ${round + 1}: repeated ${counted(rates.repeated.at(-1) ?? 0)}, fresh ${counted(rates.fresh.at(-1) ?? 0)}`)
      }
      return [{
        figure: 'ingest, 90 % duplicates ÷ all fresh',
        goal: { atLeast: 1 },
        value: ratio(rates.repeated, rates.fresh),
        detail: `${counted(median(rates.repeated))} ÷ ${counted(median(rates.fresh))} answered a second`
      }]
    }))
  }
}

/** New deliveries once each, filled up to a count with repetitions of them and of known ones, all in an order drawn by lot. */
function repeating (fresh: readonly Delivery[], known: readonly Delivery[], count: number, seed: string): Delivery[] {
  const random = createRandom(seed)
  const all = [...known, ...fresh]
  const drawn = [...fresh, ...Array.from({ length: count - fresh.length }, () => random.pick(all))]
  for (let last = drawn.length - 1; last > 0; last--) {
    const other = random.integer(0, last)
    const moved = drawn[last] as Delivery
    drawn[last] = drawn[other] as Delivery
    drawn[other] = moved
  }
  return drawn
}

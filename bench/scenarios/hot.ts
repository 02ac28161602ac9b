import { ledger } from '../contenders/ledger.ts'
import { deliver } from '../load/client.ts'
import { makeDeliveries, type Delivery } from '../load/deliveries.ts'
import { withPool } from '../pool.ts'
import { assertStoredOnce, withContender, type Scenario } from '../scenario.ts'
import { counted, median, ratio } from '../table.ts'
import { turned } from './ingest.ts'

const WARM_UP = 2000
const CUSTOMERS = 2000

/** Every delivery about one customer, and so in one shard, beside deliveries about many: what order in a shard costs. */
export const hot: Scenario = {
  name: 'hot',
  async run (bench) {
    return await withContender(bench, ledger, async ({ origin }, url) => await withPool(url, async pool => {
      const count = bench.size === 'full' ? 12_000 : 1500
      const rates = { hot: [] as number[], spread: [] as number[] }
      let stored = 0
      const measure = async (deliveries: readonly Delivery[]): Promise<number> => {
        await bench.cluster.settle()
        const { rate } = await deliver(deliveries, { origin, connections: 64 })
        stored += deliveries.length
        await assertStoredOnce(ledger, pool, stored)
        return rate
      }
      await measure(makeDeliveries({ count: WARM_UP, customers: CUSTOMERS, tag: 'w' }).deliveries)
      for (let round = 0; round < bench.rounds; round++) {
        for (const kind of turned(['hot', 'spread'] as const, round)) {
          rates[kind].push(await measure(makeDeliveries({ count, customers: kind === 'hot' ? 1 : CUSTOMERS, tag: `${kind[0]}${round}` }).deliveries))
        }
        bench.log(`round ${round + 1}: hot ${counted(rates.hot.at(-1) ?? 0)}, spread ${counted(rates.spread.at(-1) ?? 0)}`)
      }
      return [{
        figure: 'ingest, one customer only (one hot shard) ÷ spread',
        goal: { atLeast: 0.6 },
        value: ratio(rates.hot, rates.spread),
        detail: `${counted(median(rates.hot))} ÷ ${counted(median(rates.spread))} a second`
      }]
    }))
  }
}

import { start } from '../contenders/contender.ts'
import { ledger } from '../contenders/ledger.ts'
import { createAwards, type Awards } from '../load/awards.ts'
import { assertBalances, bodiesOf, fill, project } from '../load/big.ts'
import { send } from '../load/client.ts'
import { requestOf } from '../load/deliveries.ts'
import { CUSTOMERS, projectedLog } from '../load/shared-log.ts'
import { nameOf, type Bench, type Scenario } from '../scenario.ts'
import { counted, median, ratio } from '../table.ts'

const SIZES = { quick: { large: 10_000, small: 1000, newest: 500 }, full: { large: 2_000_000, small: 20_000, newest: 20_000 } }
/** Of the newest events: what a server that has just started is warmed up with. */
const WARM_UP_SHARE = 0.2
const CONNECTIONS = 64

/** What one more event costs when there are many: to take in, and to project. */
export const growth: Scenario = {
  name: 'growth',
  async run (bench) {
    const { large, small, newest } = SIZES[bench.size]
    const log = await projectedLog(bench, large)
    await settled(bench, log.url)
    const template = await bench.databaseFor(ledger)
    const few = createAwards({ customers: CUSTOMERS[bench.size], tag: 'few' })
    await fill(template, bodiesOf(few.take(small)))
    await project(template)
    await settled(bench, template)
    const again = [...few.take(newest)]
    const costs = { large: [] as Cost[], small: [] as Cost[] }
    for (let round = 0; round < bench.rounds; round++) {
      // No checkpoint before a round: behind one each page that is touched for the first time is logged whole, and in a large log
      // nearly every insert touches another page of the index. Between two checkpoints of a busy ledger that evens out.
      const onLarge = async (): Promise<void> => { costs.large.push(await costOf(log.url, [...log.awards.take(newest)], log.awards)) }
      const onSmall = async (): Promise<void> => {
        const copy = await bench.cluster.create('growth_small', nameOf(template))
        costs.small.push(await costOf(copy, again, few))
        await bench.cluster.drop(nameOf(copy))
      }
      for (const side of round % 2 === 0 ? [onLarge, onSmall] : [onSmall, onLarge]) await side()
      log.events += newest
    }
    await bench.cluster.drop(nameOf(template))
    return (['ingest', 'catch-up'] as const).map(what => {
      const [ours, theirs] = [costs.large, costs.small].map(side => side.map(cost => cost[what])) as [number[], number[]]
      return {
        figure: `cost per event at ${counted(large)} stored ÷ at ${counted(small)}, ${what}`,
        goal: { atMost: 1.3 },
        value: ratio(ours, theirs),
        detail: `${median(ours).toFixed(0)} ÷ ${median(theirs).toFixed(0)} µs, of ${counted(newest)} events each round`
      }
    })
  }
}

/** Of one event, in µs. */
interface Cost { ingest: number, 'catch-up': number }

/** Takes the newest events in over HTTP and then projects them. */
async function costOf (url: string, newest: readonly Buffer[], awards: Awards): Promise<Cost> {
  const requests = newest.map(requestOf)
  const warmUp = Math.floor(requests.length * WARM_UP_SHARE)
  const { origin, stop } = await start(ledger, url)
  let ingest_s = 0
  try {
    await take(requests.slice(0, warmUp), origin)
    ingest_s = await take(requests.slice(warmUp), origin)
  } finally {
    await stop()
  }
  const began = performance.now()
  await project(url)
  const catchUp_s = (performance.now() - began) / 1000
  await assertBalances(url, awards.balances())
  return { ingest: ingest_s / (requests.length - warmUp) * 1e6, 'catch-up': catchUp_s / requests.length * 1e6 }
}

/** @returns seconds @throws Error unless each is a new event */
async function take (requests: readonly Buffer[], origin: string): Promise<number> {
  const { seconds, answers } = await send(requests, { origin, connections: CONNECTIONS })
  if (answers.get(202) !== requests.length) throw new Error(`of ${requests.length} new events ${answers.get(202) ?? 0} were accepted`)
  return seconds
}

/** As a ledger is that has rested: what filling left for autovacuum is done. */
async function settled (bench: Bench, url: string): Promise<void> {
  const began = performance.now()
  await bench.cluster.vacuum(url)
  bench.log(`vacuumed in ${((performance.now() - began) / 1000).toFixed(0)} s`)
}

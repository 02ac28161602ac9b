import { start, type Contender } from '../contenders/contender.ts'
import { ledger, MAIN } from '../contenders/ledger.ts'
import { withClient } from '../database.ts'
import { deliver } from '../load/client.ts'
import { makeDeliveries, type Delivery, type Made } from '../load/deliveries.ts'
import { openReader, type Reader } from '../load/reader.ts'
import { withContender, type Bench, type Figure, type Scenario } from '../scenario.ts'
import { counted, median } from '../table.ts'

const CONNECTIONS = 64
const CUSTOMERS = 2000
/** One delivery of so many is looked for: reads must not become a load of their own. */
const SAMPLE_EVERY = 10
const WAIT_MS = 10_000
/** A service in use has compiled what it does all the time: the first seconds at a rate take half as long again. */
const WARM_UP_S = 5

/** As `serve` runs where nothing is said: API and worker in one process. */
const together: Contender = { ...ledger, name: 'api and worker in one process', command: [MAIN, 'serve'] }
/** Beside `ledger`, which is the API alone. */
const worker = { name: 'a worker beside the api', command: [MAIN, 'serve', '--only', 'worker'] }

/** The time from a delivery's 2xx until the customer's balance shows it, at half the rate that this configuration can take. */
export const visible: Scenario = {
  name: 'visible',
  async run (bench) {
    const rounds = await withContender(bench, together, async ({ origin }, url) => await measure(bench, origin, url))
    const apart = bench.size !== 'full'
      ? undefined
      : await withContender(bench, ledger, async ({ origin }, url) => {
        const beside = await start(worker, url)
        try {
          return await measure(bench, origin, url)
        } finally {
          await beside.stop()
        }
      })
    return [figureOf(rounds, apart)]
  }
}

/** What one round saw, at half the peak. */
interface Round { perSecond: number, p50_ms: number, p99_ms: number, read_ms: number }

async function measure (bench: Bench, origin: string, url: string): Promise<Round[]> {
  const seconds = bench.size === 'full' ? 5 : 1
  const reader = openReader(origin)
  const sets: Made[] = []
  const make = (count: number, tag: string): readonly Delivery[] => {
    const made = makeDeliveries({ count, customers: CUSTOMERS, tag })
    sets.push(made)
    return made.deliveries
  }
  try {
    await deliver(make(2000, 'w'), { origin, connections: CONNECTIONS })
    const { rate: peak } = await deliver(make(bench.size === 'full' ? 12_000 : 4000, 'p'), { origin, connections: CONNECTIONS })
    const perSecond = Math.floor(peak / 2)
    const rounds: Round[] = []
    // Once, and not before each round: after it PostgreSQL writes every page that is touched as a whole, which no second of a
    // service in use is like.
    await caughtUp(url)
    await bench.cluster.settle()
    await deliver(make(WARM_UP_S * perSecond, 's'), { origin, connections: CONNECTIONS, perSecond })
    for (let round = 0; round < bench.rounds; round++) {
      const deliveries = make(Math.round(perSecond * seconds), `r${round}`)
      await caughtUp(url)
      rounds.push(await paced(reader, origin, deliveries, perSecond))
    }
    await caughtUp(url)
    await assertBalances(url, sets)
    bench.log(`half of ${counted(peak)} a second: p99 ${rounds.map(({ p99_ms }) => p99_ms.toFixed(1)).join(', ')} ms`)
    return rounds
  } finally {
    reader.close()
  }
}

async function paced (reader: Reader, origin: string, deliveries: readonly Delivery[], perSecond: number): Promise<Round> {
  const visible_ms: number[] = []
  const read_ms: number[] = []
  const looks: Array<Promise<void>> = []
  const look = async ({ customer_id }: Delivery, answer: string): Promise<void> => {
    const answered_ms = performance.now()
    const { position } = JSON.parse(answer) as { position: string }
    const path = `/v1/customers/${customer_id}/balance?wait_ms=${WAIT_MS}&min_position=${position}`
    await reader.read(path)
    const seen_ms = performance.now()
    visible_ms.push(seen_ms - answered_ms)
    // The same once more, now that nothing is to be waited for: what the read itself costs.
    await reader.read(path)
    read_ms.push(performance.now() - seen_ms)
  }
  const { seconds } = await deliver(deliveries, { origin, connections: CONNECTIONS, perSecond }, (index, _status, body) => {
    if (index % SAMPLE_EVERY === 0) looks.push(look(deliveries[index] as Delivery, body))
  })
  await Promise.all(looks)
  visible_ms.sort((a, b) => a - b)
  return { perSecond: deliveries.length / seconds, p50_ms: median(visible_ms), p99_ms: visible_ms[Math.floor(visible_ms.length * 0.99)] ?? Number.NaN, read_ms: median(read_ms) }
}

/** Waits until every projection has come to the head of every shard. */
async function caughtUp (url: string): Promise<void> {
  await withClient(url, async client => {
    for (const deadline = performance.now() + 60_000; ;) {
      const { rows: [lag] } = await client.query<{ behind: boolean }>(
        'select exists (select from ledger.shards s join projection.checkpoints c using (shard) where c.position < s.head) as behind')
      if (lag?.behind === false) return
      if (performance.now() > deadline) throw new Error('the projections have not caught up within a minute')
      await new Promise(resolve => setTimeout(resolve, 20))
    }
  })
}

/** @throws Error unless every customer has the points of all sets */
async function assertBalances (url: string, sets: readonly Made[]): Promise<void> {
  const expected = new Map(sets.flatMap(({ balances }) => [...balances]))
  await withClient(url, async client => {
    const { rows } = await client.query<{ customer_id: string, balance: string }>(
      'select customer_id, sum(balance)::text as balance from projection.cards group by customer_id')
    const wrong = rows.find(({ customer_id, balance }) => BigInt(balance) !== expected.get(customer_id))
    if (wrong !== undefined) throw new Error(`customer ${wrong.customer_id} has ${wrong.balance} points instead of ${expected.get(wrong.customer_id)}`)
    if (rows.length !== expected.size) throw new Error(`${rows.length} customers have a balance of ${expected.size}`)
  })
}

function figureOf (rounds: readonly Round[], apart: readonly Round[] | undefined): Figure {
  const middle = (of: readonly Round[], what: keyof Round): number => median(of.map(round => round[what]))
  return {
    figure: 'from 2xx to visible in the balance, p99, at half the peak rate',
    goal: { atMost: 50 },
    unit: 'ms',
    value: middle(rounds, 'p99_ms'),
    detail: `at ${counted(middle(rounds, 'perSecond'))} a second; p50 ${middle(rounds, 'p50_ms').toFixed(1)} ms; the read alone ${middle(rounds, 'read_ms').toFixed(1)} ms` +
      (apart === undefined ? '' : `. With the worker in a process of its own p99 ${middle(apart, 'p99_ms').toFixed(1)} ms at ${counted(middle(apart, 'perSecond'))} a second`)
  }
}

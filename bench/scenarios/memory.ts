import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readChainHeads } from '../../src/audit/log.sql.ts'
import { start } from '../contenders/contender.ts'
import { ledger, MAIN } from '../contenders/ledger.ts'
import { watch, watchRun, type Memory } from '../contenders/watch.ts'
import { assertBalances, withDb } from '../load/big.ts'
import { deliver } from '../load/client.ts'
import { makeDeliveries } from '../load/deliveries.ts'
import { filledLog } from '../load/shared-log.ts'
import { nameOf, type Bench, type Figure, type Scenario } from '../scenario.ts'
import { counted } from '../table.ts'

/** Of each process at its peak. */
const LIMIT_MB = 256

/** What the long commands and the API have resident, at their peak and over their run. */
export const memory: Scenario = {
  name: 'memory',
  async run (bench) {
    const events = bench.size === 'full' ? 1_000_000 : 5000
    const folder = await mkdtemp(join(tmpdir(), 'loyalty-ledger-bench-'))
    try {
      return [await ofApi(bench), ...await ofCommands(bench, events, join(folder, 'export.ndjson'))]
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }
}

async function ofApi (bench: Bench): Promise<Figure> {
  const connections = 256
  const rounds = bench.size === 'full' ? 10 : 1
  const each = 10_000
  const url = await bench.databaseFor(ledger)
  const { origin, pid, stop } = await start(ledger, url)
  const watched = watch(pid)
  let rate = 0
  try {
    for (let round = 0; round < rounds; round++) {
      const { deliveries } = makeDeliveries({ count: each, customers: 2000, tag: `m${round}` })
      rate = (await deliver(deliveries, { origin, connections })).rate
    }
    const figure = figureOf(`the API at ${connections} connections`, await watched.stop())
    return { ...figure, detail: `${figure.detail}; ${counted(rounds * each)} deliveries, ${counted(rate)} a second` }
  } finally {
    await stop()
    await bench.cluster.drop(nameOf(url))
  }
}

/** The log goes out into a file and from there into a second ledger, which is verified and rebuilt: so each is checked by the next. */
async function ofCommands (bench: Bench, events: number, file: string): Promise<Figure[]> {
  const log = await filledLog(bench, events)
  const exported = await command(log.url, 'export', file)
  const copy = await bench.databaseFor(ledger)
  const imported = await command(copy, 'import', file)
  await assertSameLog(log.url, copy)
  await assertBalances(copy, log.awards.balances())
  // From here on the copy, which is projected, is the log.
  await bench.cluster.drop(nameOf(log.url))
  log.url = copy
  const verified = await command(copy, 'verify')
  const rebuilt = await command(copy, 'rebuild', 'start')
  await command(copy, 'rebuild', 'abandon')
  return Object.entries({ export: exported, import: imported, verify: verified, rebuild: rebuilt }).map(([name, { memory, seconds }]) => {
    const figure = figureOf(`${name}, ${counted(log.events)} events`, memory)
    return { ...figure, detail: `${figure.detail}; ${seconds.toFixed(0)} s` }
  })
}

async function command (url: string, ...args: string[]): Promise<{ memory: Memory, seconds: number }> {
  return await watchRun([MAIN, ...args], { DATABASE_URL: url })
}

/** @throws Error unless both logs hold the same events at the same places, by the chains over them */
async function assertSameLog (first: string, second: string): Promise<void> {
  const [one, other] = await Promise.all([first, second].map(async url => await withDb(url, readChainHeads)))
  const shown = (heads: typeof one): string => JSON.stringify(heads?.map(({ shard, head, chain }) => [shard, String(head), chain.toString('hex')]))
  if (shown(one) !== shown(other)) throw new Error('what was imported is not what was exported')
}

function figureOf (what: string, { peak, second, last }: Memory): Figure {
  return {
    figure: `resident memory of ${what}`,
    goal: { atMost: LIMIT_MB },
    unit: 'MB',
    value: peak,
    detail: `median of the second quarter ${second.toFixed(0)}, of the last one ${last.toFixed(0)} MB`
  }
}

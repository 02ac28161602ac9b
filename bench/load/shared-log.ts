import { ledger } from '../contenders/ledger.ts'
import type { Bench } from '../scenario.ts'
import { createAwards, type Awards } from './awards.ts'
import { bodiesOf, fill, project } from './big.ts'

/** Of the large log and of the small one that it is compared with: the newest events are dealt out alike. */
export const CUSTOMERS = { quick: 1000, full: 20_000 }

/** A large log that scenarios share, since it takes minutes to fill. */
export interface SharedLog {
  /** Its database. A scenario that puts an equal one in its place says so here. */
  url: string
  awards: Awards
  events: number
}

let shared: { bench: Bench, log: SharedLog } | undefined

/** The shared log with so many events or more, projected or not. */
export async function filledLog (bench: Bench, events: number): Promise<SharedLog> {
  if (shared?.bench !== bench) {
    shared = { bench, log: { url: await bench.databaseFor(ledger), awards: createAwards({ customers: CUSTOMERS[bench.size], tag: 'big' }), events: 0 } }
  }
  const { log } = shared
  if (log.events < events) {
    const began = performance.now()
    await fill(log.url, bodiesOf(log.awards.take(events - log.events)))
    bench.log(`filled the log from ${log.events} to ${events} events in ${((performance.now() - began) / 1000).toFixed(0)} s`)
    log.events = events
  }
  return log
}

/** The shared log with so many events or more, and all of them projected. */
export async function projectedLog (bench: Bench, events: number): Promise<SharedLog> {
  const log = await filledLog(bench, events)
  const began = performance.now()
  await project(log.url)
  bench.log(`projected what was left in ${((performance.now() - began) / 1000).toFixed(0)} s`)
  return log
}

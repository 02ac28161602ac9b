import { verifyLog } from '../../audit/log.ts'
import type { Progress } from './progress.ts'
import type { Check } from './check.ts'

/** The log against itself, and against an anchor where one is given. */
export const log: Check = {
  name: 'log',
  async run ({ db, against, found, progress }) {
    let bar: Progress | undefined
    const began = performance.now()
    const counts = await verifyLog(db, {
      against,
      found,
      begins: total => { bar = progress('verifying the log', total) },
      progress: events => bar?.add(events)
    })
    const seconds = (performance.now() - began) / 1000
    const events_per_second = Math.round(counts.events / seconds)
    const asides = [
      ...(counts.erased > 0 ? [`${counts.erased} erased`] : []),
      ...(counts.unread > 0 ? [`${counts.unread} named as before their type was read`] : [])
    ]
    return {
      counts: { ...counts, seconds: Math.round(seconds * 1000) / 1000, events_per_second },
      line: `log: ${counts.events} events in ${counts.shards} shards${asides.map(aside => `, ${aside}`).join('')}; ${seconds.toFixed(1)} s, ${events_per_second} events/s`
    }
  }
}

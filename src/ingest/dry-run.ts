import { AppendRefused } from '../log/appender.ts'
import type { Appendable, Appended } from '../log/append.sql.ts'
import type { Db } from '../postgres/database.ts'
import { locateEvents, type Located } from '../log/read.sql.ts'
import { createSeenEvents, type SeenAgain } from './dry-run-seen.ts'
import type { Ingest } from './store-delivery.ts'

interface Waiting {
  event: Appendable
  /** How it stands to what this rehearsal was told before it. */
  reobserved: SeenAgain
  resolve: (appended: Appended) => void
  reject: (error: AppendRefused) => void
}

/**
 * An appender that only pretends: it says what would become of an event after all those it was told of before, reads the log,
 * and writes nothing. What repeats or contradicts itself inside one file so shows as it would when the file is taken in. An
 * event that is not stored has no position yet: it answers 0.
 * Not foreseen: `unstorable`, which only PostgreSQL can tell, and what others store meanwhile.
 */
export function createDryRun (db: Db): Ingest['appender'] {
  const observed = createSeenEvents()
  let waiting: Waiting[] = []

  async function flush (): Promise<void> {
    const batch = waiting
    waiting = []
    try {
      const located = await locateEvents(db, batch.map(({ event }) => event))
      batch.forEach((one, index) => { one.resolve(foresee(one, located[index])) })
    } catch (error) {
      const refused = new AppendRefused('unavailable', 'the log could not be looked up', { cause: error })
      for (const { reject } of batch) reject(refused)
    }
  }

  return {
    async append (event) {
      // Before the first await: the order of the calls decides, not that of the answers.
      const reobserved = observed.observeFields(event, event.fact_digest)
      return await new Promise((resolve, reject) => {
        if (waiting.push({ event, reobserved, resolve, reject }) === 1) setImmediate(() => { void flush() })
      })
    }
  }
}

function foresee ({ event, reobserved }: Waiting, stored: Located | undefined): Appended {
  if (stored !== undefined) {
    const { shard, position, fact_digest } = stored
    return { outcome: fact_digest.toString('hex') === event.fact_digest ? 'duplicate' : 'conflict', shard, position }
  }
  return { outcome: ({ first: 'accepted', same: 'duplicate', other: 'conflict' } as const)[reobserved], shard: event.shard, position: 0n }
}

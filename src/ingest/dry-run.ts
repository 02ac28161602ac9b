import { AppendRefused } from '../log/appender.ts'
import type { Appendable, Appended } from '../log/append.sql.ts'
import { batchReads } from '../postgres/batch-reads.ts'
import type { Db } from '../postgres/database.ts'
import { locateEvents, type Located } from '../log/read.sql.ts'
import { createSeenEvents, type SeenBefore } from './dry-run-seen.ts'
import type { Ingest } from './store-delivery.ts'

/**
 * An appender that reads the log and writes nothing. It answers what would happen to an event after all the events that
 * it was given before, so repetitions and contradictions inside one file appear as they would in an import. An event
 * that is not stored yet has no position: the answer is 0. It cannot predict `unstorable`, which only PostgreSQL can
 * decide, nor what others store meanwhile.
 */
export function createDryRun (db: Db): Ingest['appender'] {
  const see = createSeenEvents()
  const locate = batchReads(async (events: Appendable[]) => await locateEvents(db, events))
  return {
    async append (event) {
      // Before the first await: the order of the calls decides, not the order of the answers.
      const before = see(event, event.fact_digest)
      const stored = await locate(event).catch((error: unknown) => {
        throw new AppendRefused('unavailable', 'the log could not be read', { cause: error })
      })
      return predict(event, before, stored)
    }
  }
}

function predict (event: Appendable, before: SeenBefore, stored: Located | undefined): Appended {
  if (stored !== undefined) {
    const { shard, position, fact_digest } = stored
    return { outcome: fact_digest.toString('hex') === event.fact_digest ? 'duplicate' : 'conflict', shard, position }
  }
  return { outcome: ({ first: 'accepted', same: 'duplicate', other: 'conflict' } as const)[before], shard: event.shard, position: 0n }
}

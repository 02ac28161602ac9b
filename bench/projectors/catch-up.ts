import { loadConfig } from '../../src/config.ts'
import { projections } from '../../src/projections/index.ts'
import { startWorker } from '../../src/engine/worker.ts'
import { closePool, openForSteps } from '../../src/postgres/database.ts'
import { readHeads } from '../../src/log/shards.sql.ts'
import { ledgerLog } from './log.ts'
import type { Projector } from './projector.ts'

const config = loadConfig({})

/** This product's worker, as `serve` starts it, behind by the whole log. */
export const projector: Projector = {
  name: 'catch-up',
  module: import.meta.url,
  log: ledgerLog,
  async fold (url) {
    const { pool, db } = openForSteps({ url, role: config.DATABASE_ROLE, poolSize: 3, timeout_ms: config.DATABASE_TIMEOUT_MS, name: 'bench worker' })
    try {
      const stored = (await readHeads(db)).reduce((sum, { head }) => sum + Number(head), 0)
      const began = performance.now()
      await new Promise<void>((resolve, reject) => {
        let left = stored
        const worker = startWorker(db, {
          projections,
          batch: config.PROJECTION_BATCH_EVENTS,
          onStep ({ events }) {
            left -= events
            if (left === 0) worker.stop().then(resolve, reject)
          },
          onFailure: reject
        })
      })
      return { events: stored, seconds: (performance.now() - began) / 1000 }
    } finally {
      await closePool(pool)
    }
  },
  cards: 'select card_id, balance, movements from projection.cards'
}

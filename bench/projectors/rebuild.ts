import { BATCH_EVENTS } from '../../src/cli/rebuild.ts'
import { projections } from '../../src/projections/index.ts'
import { beginRebuild, buildUp } from '../../src/engine/rebuild/rebuild.ts'
import { closePool, databaseOf, openPool } from '../../src/postgres/database.ts'
import { ledgerLog } from './log.ts'
import type { Projector } from './projector.ts'

/**
 * What `loyalty-ledger rebuild` does with a log: its batches and its pools, beside a service that is idle. Only the folding is
 * counted, up to where a switch would take over, and not the start of a process and the making of tables.
 */
export const projector: Projector = {
  name: 'rebuild',
  module: import.meta.url,
  log: ledgerLog,
  async fold (url) {
    const live = openPool({ url, poolSize: 2, name: 'bench rebuild' })
    const build = openPool({ url, poolSize: 2, name: 'bench rebuild', projectionSchema: 'projection_build' })
    try {
      const workplace = { live: databaseOf(live), build: databaseOf(build) }
      await beginRebuild(workplace, projections)
      let events = 0
      const began = performance.now()
      await buildUp(workplace, projections, { batch: BATCH_EVENTS, onStep: stepped => { events += stepped.events } })
      return { events, seconds: (performance.now() - began) / 1000 }
    } finally {
      await closePool(live)
      await closePool(build)
    }
  },
  cards: 'select card_id, balance, movements from projection_build.cards'
}

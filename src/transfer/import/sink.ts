import { createDryRun } from '../../ingest/dry-run.ts'
import type { Ingest } from '../../ingest/store-delivery.ts'
import type { Db } from '../../postgres/database.ts'
import { foreseeQuarantine, quarantine, type Quarantinable, type SetAside } from '../../ingest/quarantine/quarantine.sql.ts'

/** Where an import stores what it has read. */
export interface Sink {
  intake: Ingest
  /** For events out of an export of a ledger: these keep the time at which they were first stored. */
  restoring: Ingest
  /** Quarantines a delivery that contradicts the ledger. The id is undefined if a dry run would add a row. */
  setAside: (delivery: Quarantinable) => Promise<Partial<SetAside> & Pick<SetAside, 'fate'>>
}

/** Stores entries. @param restoring the same ledger, for events out of an export of a ledger, if there are any */
export function storing (intake: Ingest, restoring = intake): Sink {
  return { intake, restoring, setAside: async delivery => await quarantine(intake.db, delivery) }
}

/** Predicts what would be stored, and stores nothing. */
export function dryRunning ({ db, shards }: { db: Db, shards: number }): Sink {
  const intake = { db, shards, appender: createDryRun(db) }
  return {
    intake,
    restoring: intake,
    setAside: async row => await foreseeQuarantine(db, row)
  }
}

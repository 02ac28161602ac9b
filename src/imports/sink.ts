import { createRehearsal } from '../intake/rehearsal.ts'
import type { Intake } from '../intake/settle.ts'
import type { Db } from '../store/database.ts'
import { foreseeQuarantine, quarantine, type Quarantinable, type SetAside } from '../store/quarantine.ts'

/** Where an import puts what it has read. */
export interface Sink {
  intake: Intake
  /** Keeps what contradicts the ledger. The id is undefined where there would be a new row. */
  setAside: (delivery: Quarantinable) => Promise<Partial<SetAside> & Pick<SetAside, 'fate'>>
}

/** Stores what comes. */
export function storing (intake: Intake): Sink {
  return { intake, setAside: async delivery => await quarantine(intake.db, delivery) }
}

/** Says what would be stored, and stores nothing. */
export function rehearsing ({ db, shards }: { db: Db, shards: number }): Sink {
  return {
    intake: { db, shards, appender: createRehearsal(db) },
    setAside: async ({ body }) => await foreseeQuarantine(db, body)
  }
}

import type { Db } from '../postgres/database.ts'
import { analyseTables } from './rebuild/projection-schema.sql.ts'
import { tablesOf } from './rebuild/versions.ts'
import type { Projection } from './projection.ts'

/** The first analysis is after so many events, and each further one when they have doubled. */
const FIRST_ANALYSIS_EVENTS = 4000

/** Analyses tables that grow by thousands of rows a second. Autovacuum would do it too late for the planner. */
export function createAutoAnalyze (db: Db, projections: readonly Projection[]): (events: number) => Promise<void> {
  let total = 0
  let next = FIRST_ANALYSIS_EVENTS
  return async events => {
    total += events
    if (total < next) return
    // Before the first await: two lanes may get here at the same time.
    next = total * 2
    await analyseTables(db, tablesOf(projections))
  }
}

import type { Db } from '../postgres/database.ts'
import { analyseTables } from './rebuild/projection-schema.sql.ts'
import { tablesOf } from './rebuild/versions.ts'
import type { Projection } from './projection.ts'

/** So many events between two looks at how large the tables have become; the next look is when they have doubled. */
const FIRST_ANALYSIS_EVENTS = 4000

/** Nobody else tells the planner in time that these tables grow by thousands of rows a second. */
export function createAutoAnalyze (db: Db, projections: readonly Projection[]): (events: number) => Promise<void> {
  let total = 0
  let next = FIRST_ANALYSIS_EVENTS
  return async events => {
    total += events
    if (total < next) return
    // Before it waits: two lanes may come here at once.
    next = total * 2
    await analyseTables(db, tablesOf(projections))
  }
}

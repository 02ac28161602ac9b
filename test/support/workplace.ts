import type { Test } from 'tap'
import { closePool, databaseOf, openPool, type Db, type ProjectionSchema } from '../../src/postgres/database.ts'
import type { Workplace } from '../../src/engine/rebuild/rebuild.ts'

/** A database seen as one generation, as the login that owns it. */
export function openProjectionSchema (t: Test, url: string, projectionSchema: ProjectionSchema, poolSize = 3): Db {
  const pool = openPool({ url, projectionSchema, poolSize, name: 'test owner', onIdleError: () => {} })
  t.teardown(async () => { await closePool(pool) })
  return databaseOf(pool)
}

/** What a rebuild works with. */
export function openWorkplace (t: Test, url: string): Workplace {
  return { live: openProjectionSchema(t, url, 'projection'), build: openProjectionSchema(t, url, 'projection_build') }
}

import type { Test } from 'tap'
import { closePool, databaseOf, openPool, type Db, type Generation } from '../../src/postgres/database.ts'
import type { Workplace } from '../../src/engine/rebuild/rebuild.ts'

/** A database seen as one generation, as the login that owns it. */
export function openGeneration (t: Test, url: string, generation: Generation, poolSize = 3): Db {
  const pool = openPool({ url, generation, poolSize, name: 'test owner', onIdleError: () => {} })
  t.teardown(async () => { await closePool(pool) })
  return databaseOf(pool)
}

/** What a rebuild works with. */
export function openWorkplace (t: Test, url: string): Workplace {
  return { live: openGeneration(t, url, 'projection'), build: openGeneration(t, url, 'projection_build') }
}
